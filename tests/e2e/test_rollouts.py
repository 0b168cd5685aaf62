"""Changes of what the pools run, under load, on a node without a spare GPU."""

from typing import Any

import pytest

from cluster.images import WEIGHTS
from cluster.progress import say
from e2e.hybrid import Hybrid
from e2e.load import Load
from e2e.pod_history import PodHistory
from e2e.workbench import NAME, wait_until

pytestmark = pytest.mark.e2e

LEAST = 500
RATE = 15  # requests a second on each route
BATCH, SINGLE = "/v1/predict/batch", "/v1/predict/single"
EDITS = 5
WEIGHTS_IMAGE = {"image": {"reference": WEIGHTS.reference, "pullPolicy": "IfNotPresent"}}


@pytest.fixture(autouse=True)
def settled(hybrid: Hybrid) -> None:
    hybrid.wait_for("Ready")


def test_replacing_the_only_gpu_pod_by_another_image_fails_no_request(
    hybrid: Hybrid, capsys: pytest.CaptureFixture[str]
) -> None:
    with PodHistory(hybrid.bench) as pods, Load(hybrid.request(BATCH), RATE) as batch:
        batch.await_total(20)
        hybrid.bench.patch({"gpu": {"image": hybrid.image_by_digest("gpu")}})
        hybrid.wait_for("Ready")
        batch.await_more(20, "gpu")
        batch.await_total(LEAST)
    with capsys.disabled():
        say(f"\nReplace: {batch}")
    assert batch.failed == []
    assert pods.replacing("gpu")
    assert pods.pending_beside_running("gpu") == []


def test_another_model_surges_one_pool_then_replaces_the_other_and_fails_no_request(
    hybrid: Hybrid, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        PodHistory(hybrid.bench) as pods,
        Load(hybrid.request(BATCH), RATE) as batch,
        Load(hybrid.request(SINGLE), RATE) as single,
    ):
        batch.await_total(20)
        hybrid.bench.patch({"model": {"name": "another-label", "source": WEIGHTS_IMAGE}})
        hybrid.wait_for("Ready")
        batch.await_more(20, "gpu")
        batch.await_total(LEAST)
        single.await_total(LEAST)
    with capsys.disabled():
        say(f"\nboth pools: batch {batch}; single {single}")
    assert batch.failed + single.failed == []
    assert {answer.pool for answer in single.answers} == {"cpu"}
    assert pods.fewest_serving("cpu") >= 1
    assert pods.replacing("cpu")
    assert pods.replacing("cpu").stop <= pods.replacing("gpu").start
    assert {pool["model"] for pool in hybrid.status()["pools"]} == {"another-label"}


def test_rapid_edits_keep_capacity(hybrid: Hybrid, capsys: pytest.CaptureFixture[str]) -> None:
    with (
        PodHistory(hybrid.bench) as pods,
        Load(hybrid.request(BATCH), RATE) as batch,
        Load(hybrid.request(SINGLE), RATE) as single,
    ):
        for edit in range(EDITS):
            batch.await_more(20)
            env = [{"name": "EDIT", "value": str(edit)}]
            hybrid.bench.patch({"cpu": {"env": env}, "gpu": {"env": env}})
        hybrid.wait_for("Ready")
        batch.await_total(LEAST)
        single.await_total(LEAST)
    with capsys.disabled():
        say(f"\n{EDITS} rapid edits: batch {batch}; single {single}")
    assert batch.failed + single.failed == []
    assert pods.fewest_serving("cpu") >= 1
    assert {value_of_edit(pod) for pool in ("cpu", "gpu") for pod in hybrid.pods(pool)} == {str(EDITS - 1)}


def value_of_edit(pod: dict[str, Any]) -> str:
    [container] = pod["spec"]["containers"]
    return next(str(variable["value"]) for variable in container["env"] if variable["name"] == "EDIT")


def test_a_broken_image_is_rolled_back_without_a_failed_request(
    hybrid: Hybrid, capsys: pytest.CaptureFixture[str]
) -> None:
    before = hybrid.spec_now()
    with Load(hybrid.request(SINGLE), RATE) as single:
        single.await_total(20)
        hybrid.bench.patch({"cpu": {"image": "localhost/no-such-server:1"}})
        wait_until_rolled_back(hybrid, "cpu", "localhost/no-such-server:1")
        single.await_more(20, "cpu")
    with capsys.disabled():
        say(f"\nbroken image: {single}")
    assert single.failed == []
    assert hybrid.bench.condition("GPUPoolReady")["status"] == "True"
    repair(hybrid, before)


def test_a_broken_model_is_rolled_back_without_a_failed_request(
    hybrid: Hybrid, capsys: pytest.CaptureFixture[str]
) -> None:
    before = hybrid.spec_now()
    with Load(hybrid.request(BATCH), RATE) as batch, Load(hybrid.request(SINGLE), RATE) as single:
        batch.await_total(20)
        hybrid.bench.patch({"model": {"name": "broken", "sha256": "0" * 64, "source": WEIGHTS_IMAGE}})
        wait_until_rolled_back(hybrid, "cpu", "sha256")
        wait_until_rolled_back(hybrid, "gpu", "sha256")
        batch.await_more(20, "gpu")
    with capsys.disabled():
        say(f"\nbroken model: batch {batch}; single {single}")
    assert batch.failed + single.failed == []
    repair(hybrid, before)


def wait_until_rolled_back(hybrid: Hybrid, pool: str, said: str) -> None:
    """Wait until a pool runs again what it ran before, and the status tells what failed, and why."""
    condition = f"{pool.upper()}PoolReady"
    wait_until("the rollback", lambda: hybrid.bench.condition(condition).get("reason") == "RolledBack", 120)
    wait_until("the last good pod", lambda: hybrid.pool_status(pool)["summary"] == "1/1", 120)
    stalled = hybrid.bench.condition("Stalled")
    assert (stalled["status"], stalled["reason"]) == ("True", "RolledBack")
    status = hybrid.pool_status(pool)
    assert said in hybrid.bench.condition(condition)["message"]
    assert said in status["rejectedBecause"]
    assert status["rejectedRevision"] in hybrid.bench.condition(condition)["message"]


def repair(hybrid: Hybrid, spec: dict[str, Any]) -> None:
    """Once the spec is good again, nothing is rejected any more."""
    hybrid.replace(spec)
    hybrid.wait_for("Ready")
    assert [pool for pool in hybrid.status()["pools"] if "rejectedRevision" in pool] == []


def test_a_missing_gpu_is_waited_for_beyond_the_deadline_and_no_failure_once_it_comes(hybrid: Hybrid) -> None:
    deployment = f"deployment/{NAME}-gpu"
    late = "--for=jsonpath={.status.conditions[?(@.type=='Progressing')].reason}=ProgressDeadlineExceeded"
    hybrid.bench.patch({"gpu": {"accelerator": {"count": 2}, "rollout": {"progressDeadlineSeconds": 10}}})
    hybrid.bench.kubectl("wait", deployment, late, "--timeout=120s")
    # Changes no pod: its status is a look from after the deadline.
    hybrid.bench.patch({"gpu": {"rollout": {"progressDeadlineSeconds": 600}}})
    wait_until("the status", lambda: hybrid.bench.condition("GPUPoolReady") != {}, 30)
    assert hybrid.bench.condition("GPUPoolReady")["reason"] == "InsufficientGPU"
    assert hybrid.gpu_resource in hybrid.bench.condition("GPUPoolReady")["message"]
    assert hybrid.bench.condition("Stalled")["status"] == "False"
    assert "rejectedRevision" not in hybrid.pool_status("gpu")
    [pod] = hybrid.pods("gpu")
    assert pod["spec"]["containers"][0]["resources"]["limits"][hybrid.gpu_resource] == "2"
    hybrid.offer_gpus(2)
    hybrid.wait_for("Ready")
