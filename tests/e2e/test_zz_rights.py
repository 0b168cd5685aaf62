"""The operator asks for nothing that it may not, and uses everything that it may; last, for the log of all tests."""

from pathlib import Path

import pytest

from cluster.layout import layout
from cluster.release import RELEASE
from cluster.target import LOCAL_KIND, Target
from e2e.rights import Account, Right, asked, granted, refused, used
from e2e.workbench import NAME, SMALL, Workbench, resource, wait_until

pytestmark = pytest.mark.e2e

OPERATOR = Account("default", f"{RELEASE}-operator")
SELECTOR = f"app.kubernetes.io/instance={RELEASE},app.kubernetes.io/component=operator"
# Checked by the API server when an owner reference is written, and never called.
NEVER_CALLED = {Right("kronos.dev", "kronosdeployments/finalizers", "update")}
BOTH_POOLS = {
    "cpu": {"resources": SMALL},
    "gpu": {"resources": SMALL},
    "ingress": {"hosts": [f"{NAME}.example.com"]},
    "gateway": {"parentRefs": [{"name": "absent"}]},
    "routing": {"settleSeconds": 0},
}
FOR_SPARE = "poddisruptionbudgets,horizontalpodautoscalers"
# Of these the CPU pool keeps its Deployment and its working template.
LOST = f"controllerrevisions,deployments,ingresses,httproutes,{FOR_SPARE}"
SPARE = {"cpu": {"autoscaling": {"minReplicas": 2, "maxReplicas": 2}}}
LITTLE = {"cpu": {"autoscaling": None, "replicas": 1}, "gpu": None, "ingress": None, "gateway": None}


@pytest.fixture(scope="module")
def log(target: Target) -> Path:
    if target.kind != LOCAL_KIND:
        pytest.skip("only of the local cluster the audit log is in reach")
    return layout().audit_log


@pytest.fixture
def exercised(bench: Workbench) -> str:
    """A resource that had everything and lost it again, and a Lease that was deleted; when the operator had started."""
    pods = bench.target.read("pods", "-l", SELECTOR)["items"]
    started = min(pod["status"]["startTime"] for pod in pods)
    bench.apply(resource(BOTH_POOLS))
    wait_until("both pools' working templates", lambda: len(bench.items("controllerrevisions")) == 2, 300)
    bench.patch(SPARE)
    wait_until("an autoscaler and a budget", lambda: len(bench.items(FOR_SPARE)) == 2, 30)
    bench.patch(LITTLE)
    wait_until("what is no longer declared being gone", lambda: len(bench.items(LOST)) == 2, 120)
    bench.target.kubectl("delete", "lease", OPERATOR.name)
    wait_until("a new Lease", lambda: OPERATOR.name in bench.target.kubectl("get", "lease", "-o", "name"), 30)
    return str(started)


def test_nothing_that_is_not_granted_was_asked_for(target: Target, log: Path) -> None:
    # While a release is installed or taken away, requests may also be refused that are granted before or after.
    assert refused(asked(log, OPERATOR, since="")) - granted(target, OPERATOR) == set()


def test_every_right_that_is_granted_is_used(target: Target, log: Path, exercised: str) -> None:
    rights = granted(target, OPERATOR)
    assert Right("apps", "deployments", "patch") in rights
    assert rights - used(asked(log, OPERATOR, since=exercised)) == NEVER_CALLED
