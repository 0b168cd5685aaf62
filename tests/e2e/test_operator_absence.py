"""What was decided outlasts the operator: routes stay, clocks go on, and what was rejected stays rejected."""

from collections.abc import Iterator
from datetime import datetime

import pytest

from cluster.release import RELEASE
from cluster.target import Target
from e2e.hybrid import Hybrid, own_hybrid
from e2e.load import Load
from e2e.workbench import NAME, wait_until

pytestmark = pytest.mark.e2e

OPERATOR = f"deployment/{RELEASE}-operator"
SELECTOR = f"app.kubernetes.io/instance={RELEASE},app.kubernetes.io/component=operator"
# A new leader takes over within this time, even if it must wait for the Lease to expire.
BACK_AFTER_SECONDS = 30


@pytest.fixture(scope="module")
def hybrid(target: Target) -> Iterator[Hybrid]:
    with own_hybrid(target, BACK_AFTER_SECONDS) as hybrid:
        yield hybrid


def scale_operator(target: Target, replicas: int) -> None:
    target.kubectl("scale", OPERATOR, f"--replicas={replicas}")
    if replicas:
        target.kubectl("rollout", "status", OPERATOR, "--timeout=120s")
    else:
        target.kubectl("wait", "pod", "-l", SELECTOR, "--for=delete", "--timeout=60s")


def test_the_last_route_stays_without_an_operator_and_each_new_leader_goes_on_from_the_status(
    target: Target, hybrid: Hybrid
) -> None:
    scale_operator(target, 0)
    try:
        with Load(hybrid.request("/v1/predict/batch"), 15) as batch:
            batch.await_more(20, "gpu")
            hybrid.lose_gpu()
            wait_until("the pool being gone", lambda: len(batch.failed) > 0, 30)
            batch.await_total(len(batch.answers) + 100)  # twice as long as afterSeconds
            assert batch.since(0, "cpu") == []
            service = hybrid.bench.read("service", f"{NAME}-batch")
            assert service["spec"]["selector"]["kronos.dev/pool"] == "gpu"
            scale_operator(target, 1)
            batch.await_more(20, "cpu")
    finally:
        scale_operator(target, 1)
    the_clock_of_the_way_back_goes_on(target, hybrid)


def the_clock_of_the_way_back_goes_on(target: Target, hybrid: Hybrid) -> None:
    """A leader that is killed while a pool proves steady costs the route no time: it would be back later by that."""
    hybrid.offer_gpus(1)
    wait_until("the pool being back", lambda: "availableSince" in hybrid.pool_status("gpu"), 120)
    available = hybrid.pool_status("gpu")["availableSince"]
    target.kubectl("delete", "pod", "-l", SELECTOR, "--grace-period=0", "--force")
    target.kubectl("rollout", "status", OPERATOR, "--timeout=120s")
    hybrid.wait_for_route("batch", "gpu")
    assert hybrid.pool_status("gpu")["availableSince"] == available
    waited = moment(hybrid.status()["routes"]["batch"]["since"]) - moment(available)
    led = moment(operator_started(target)) - moment(available)
    assert BACK_AFTER_SECONDS <= waited.total_seconds() < BACK_AFTER_SECONDS + led.total_seconds()


def operator_started(target: Target) -> str:
    [pod] = target.read("pods", "-l", SELECTOR)["items"]
    [container] = pod["status"]["containerStatuses"]
    started: str = container["state"]["running"]["startedAt"]
    return started


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_a_rejected_template_stays_rejected_after_a_restart_of_the_operator(target: Target, hybrid: Hybrid) -> None:
    hybrid.bench.patch({"gpu": {"image": "localhost/no-such-server:1"}})
    hybrid.wait_for("Stalled")
    wait_until("the last good pod", lambda: hybrid.pool_status("gpu")["summary"] == "1/1", 120)
    before = hybrid.bench.read("deployment", f"{NAME}-gpu")
    scale_operator(target, 0)
    scale_operator(target, 1)
    hybrid.bench.patch({"routing": {"settleSeconds": 4}})  # changes no pod: the new operator has looked
    wait_until("the status", lambda: hybrid.bench.condition("Stalled") != {}, 60)
    assert hybrid.bench.condition("Stalled")["reason"] == "RolledBack"
    after = hybrid.bench.read("deployment", f"{NAME}-gpu")
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    assert "rejectedRevision" in hybrid.pool_status("gpu")
