"""The two pools: the same workload on different hardware."""

from typing import Literal

from pydantic import ConfigDict, Field

from kronos_operator.api.autoscaling import Autoscaling
from kronos_operator.api.structure import QualifiedName, Structure, rules
from kronos_operator.api.workload import Workload

PoolName = Literal["cpu", "gpu"]
POOLS: tuple[PoolName, ...] = ("cpu", "gpu")
GPU_RESOURCE = "nvidia.com/gpu"


class Accelerator(Structure):
    """The device that every pod of the GPU pool gets."""

    resource: QualifiedName = Field(GPU_RESOURCE, description="Resource of the device plugin, or a MIG slice.")
    count: int = Field(1, ge=1, le=16, description="Devices of each pod.")


class Rollout(Structure):
    """How the pods of a pool are replaced by new ones."""

    strategy: Literal["Surge", "Replace"] | None = Field(
        None,
        description="Surge adds a new pod first, Replace takes an old one away first. Default: Surge for cpu, "
        "Replace for gpu, where a spare device may not exist.",
    )
    progress_deadline_seconds: int = Field(
        600, ge=10, le=86400, description="After this time without progress a rollout has failed, in seconds."
    )
    on_failure: Literal["Rollback", "Stop"] = Field(
        "Rollback", description="Rollback returns to the last template that worked; Stop leaves everything as it is."
    )


class Pool(Workload):
    """Pods of one kind of hardware."""

    replicas: int | None = Field(
        None,
        ge=0,
        le=1000,
        description="Number of pods; absent: created with 1, then whoever scales the Deployment owns it.",
    )
    autoscaling: Autoscaling | None = Field(None, description="Lets an autoscaler choose the number of pods.")
    rollout: Rollout = Field(Rollout(), description="How pods are replaced by new ones.")


ONE_SCALER = ("!(has(self.replicas) && has(self.autoscaling))", "give replicas or autoscaling, not both")


class CpuPool(Pool):
    """Pods that compute on the processor."""

    model_config = ConfigDict(json_schema_extra=rules(ONE_SCALER))


ACCELERATOR = "(has(self.accelerator) && has(self.accelerator.resource) ? self.accelerator.resource : 'nvidia.com/gpu')"
GIVEN_TWICE = "the accelerator is set by accelerator.resource and accelerator.count: leave it out of resources"


class GpuPool(Pool):
    """Pods that compute on an accelerator."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            ONE_SCALER,
            (
                "!has(self.autoscaling) || has(self.autoscaling.metrics)",
                "autoscaling of the GPU pool needs metrics: the CPU says nothing about a GPU's load",
            ),
            *(
                (
                    f"!has(self.resources) || !has(self.resources.{part}) || !({ACCELERATOR} in self.resources.{part})",
                    GIVEN_TWICE,
                )
                for part in ("limits", "requests")
            ),
        )
    )
    accelerator: Accelerator = Field(Accelerator(), description="The device of every pod.")
