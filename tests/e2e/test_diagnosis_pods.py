"""The status names the cause of a pool that is not ready, and its cure: what the containers on the node do."""

import pytest

from cluster.target import Target
from e2e.causes import Case, assert_told, ended, late, warned
from e2e.misbehaving_image import misbehaving_image
from e2e.workbench import SMALL, Workbench

pytestmark = pytest.mark.e2e

NO_HUB = [{"name": "HF_ENDPOINT", "value": "http://127.0.0.1:9"}]
HUB = {"name": "a/model", "revision": "1" * 40, "tokenizer": {"name": "a/tokenizer", "revision": "1" * 40}}
NO_MEMORY = {"requests": {"cpu": "100m", "memory": "32Mi"}, "limits": {"memory": "64Mi"}}
# Python looks for its library where there is nothing.
BROKEN = [{"name": "PYTHONHOME", "value": "/nowhere"}]


@pytest.fixture(scope="module")
def misbehaving(target: Target) -> str:
    """The image of a server that fails on demand."""
    return misbehaving_image(target)


CASES = [
    Case(
        "cpu",
        "ModelFetch",
        {"resources": SMALL, "env": NO_HUB},
        ("cannot fetch the model", "Connection refused", "the way to the hub"),
        fact=ended,
        rest={"model": HUB},
    ),
    Case("cpu", "OutOfMemory", {"resources": NO_MEMORY}, ("raise resources.limits.memory",), fact=ended),
    Case(
        "cpu",
        "CrashLoop",
        {"resources": SMALL, "env": BROKEN},
        ("exit code 1", "See kubectl logs --previous"),
        fact=ended,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.reason)
def test_what_ended_a_container_is_on_the_resource(bench: Workbench, case: Case) -> None:
    assert_told(bench, case)


def test_a_node_without_the_device_is_told(bench: Workbench, misbehaving: str) -> None:
    fields = {"image": misbehaving, "resources": SMALL, "env": [{"name": "MISBEHAVE", "value": "no device"}]}
    assert_told(bench, Case("gpu", "DeviceUnavailable", fields, ("cuda",), fact=ended))


def test_a_server_that_runs_and_is_not_ready_is_told(bench: Workbench, misbehaving: str) -> None:
    fields = {"image": misbehaving, "resources": SMALL, "env": [{"name": "MISBEHAVE", "value": "unready"}]}
    said = ("runs and is not ready", "statuscode: 503", "See kubectl logs")
    assert_told(bench, Case("cpu", "ProbeFailing", fields, said, fact=warned("Unhealthy", "Readiness probe failed")))


def test_a_deadline_that_passes_without_a_known_cause_is_told(bench: Workbench, misbehaving: str) -> None:
    fields = {
        "image": misbehaving,
        "resources": SMALL,
        "env": [{"name": "MISBEHAVE", "value": "asleep"}],
        "rollout": {"progressDeadlineSeconds": 10},
    }
    assert_told(bench, Case("cpu", "ProgressDeadline", fields, ("See kubectl describe deployment k-cpu",), fact=late))
