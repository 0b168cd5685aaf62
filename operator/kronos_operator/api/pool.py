"""The two pools: the same workload on different hardware."""

from typing import Literal

from pydantic import ConfigDict, Field

from kronos_operator.api.structure import QualifiedName, Structure, rules
from kronos_operator.api.workload import Workload

PoolName = Literal["cpu", "gpu"]
POOLS: tuple[PoolName, ...] = ("cpu", "gpu")
GPU_RESOURCE = "nvidia.com/gpu"


class Accelerator(Structure):
    """The device that every pod of the GPU pool gets."""

    resource: QualifiedName = Field(GPU_RESOURCE, description="Resource of the device plugin, or a MIG slice.")
    count: int = Field(1, ge=1, le=16, description="Devices of each pod.")


class Pool(Workload):
    """Pods of one kind of hardware."""

    replicas: int | None = Field(
        None,
        ge=0,
        le=1000,
        description="Number of pods; absent: created with 1, then whoever scales the Deployment owns it.",
    )


class CpuPool(Pool):
    """Pods that compute on the processor."""


ACCELERATOR = "(has(self.accelerator) && has(self.accelerator.resource) ? self.accelerator.resource : 'nvidia.com/gpu')"
GIVEN_TWICE = "the accelerator is set by accelerator.resource and accelerator.count: leave it out of resources"


class GpuPool(Pool):
    """Pods that compute on an accelerator."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            *(
                (
                    f"!has(self.resources) || !has(self.resources.{part}) || !({ACCELERATOR} in self.resources.{part})",
                    GIVEN_TWICE,
                )
                for part in ("limits", "requests")
            )
        )
    )
    accelerator: Accelerator = Field(Accelerator(), description="The device of every pod.")
