"""The status names the cause of a pool that is not ready."""

from typing import Any

import pytest

from cluster.images import WEIGHTS
from e2e.workbench import NOWHERE, SMALL, Workbench, resource, wait_until

pytestmark = pytest.mark.e2e

WEIGHTS_IMAGE = {"image": {"reference": WEIGHTS.reference, "pullPolicy": "IfNotPresent"}}
ABSENT_IMAGE = {"image": {"reference": "localhost/kronos-no-such-weights:1", "pullPolicy": "Never"}}


@pytest.mark.parametrize(
    ("spec", "pool", "reason", "said"),
    [
        ({"cpu": {"nodeSelector": NOWHERE}}, "CPU", "Unschedulable", "node"),
        ({"gpu": {"accelerator": {"count": 16}, "resources": SMALL}}, "GPU", "InsufficientGPU", "nvidia.com/gpu"),
        ({"cpu": {"image": "localhost/no-such-image:1", "resources": SMALL}}, "CPU", "ImagePull", "no-such-image"),
        ({"cpu": {"resources": SMALL}, "model": {"name": "m", "source": ABSENT_IMAGE}}, "CPU", "ImagePull", "weights"),
        (
            {"cpu": {"resources": SMALL}, "model": {"name": "m", "sha256": "0" * 64, "source": WEIGHTS_IMAGE}},
            "CPU",
            "ModelInvalid",
            "sha256",
        ),
        (
            {"cpu": {"resources": SMALL, "runtimeClassName": "absent"}},
            "CPU",
            "RuntimeClassMissing",
            "absent",
        ),
    ],
)
def test_the_cause_and_its_cure_are_on_the_resource(
    bench: Workbench, spec: dict[str, Any], pool: str, reason: str, said: str
) -> None:
    bench.apply(resource(spec))
    wait_until(reason, lambda: bench.condition(f"{pool}PoolReady").get("reason") == reason, 90)
    assert said in bench.condition(f"{pool}PoolReady")["message"]
    assert bench.condition("Ready")["reason"] == reason
