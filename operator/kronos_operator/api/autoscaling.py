"""How a HorizontalPodAutoscaler scales a pool, in the words of autoscaling/v2."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from kronos_operator.api.structure import Anything, Quantity, Structure, rules


class ScalingPolicy(Structure):
    """The most that may change in a while."""

    type: Literal["Pods", "Percent"] = Field(description="What value counts.")
    value: int = Field(ge=1, description="How many pods, or per cent of them.")
    period_seconds: int = Field(ge=1, le=1800, description="In how many seconds.")


class ScalingRules(Structure):
    """How fast a pool grows or shrinks."""

    stabilization_window_seconds: int | None = Field(
        None, ge=0, le=3600, description="Seconds over which the most cautious wish counts."
    )
    select_policy: Literal["Max", "Min", "Disabled"] | None = Field(None, description="Which policy counts.")
    tolerance: Quantity | None = Field(None, description="Deviation from the target that is ignored.")
    policies: tuple[ScalingPolicy, ...] | None = Field(None, max_length=8, description="Policies.")


class Behavior(Structure):
    """How fast a pool grows and shrinks."""

    scale_up: ScalingRules | None = Field(None, description="Growing.")
    scale_down: ScalingRules | None = Field(None, description="Shrinking.")


class Autoscaling(Structure):
    """Bounds and metrics of the autoscaler."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "!has(self.minReplicas) || self.minReplicas <= self.maxReplicas",
                "minReplicas must not be above maxReplicas",
            )
        )
    )
    min_replicas: int = Field(1, ge=1, le=1000, description="Fewest pods.")
    max_replicas: int = Field(ge=1, le=1000, description="Most pods.")
    metrics: Annotated[tuple[Anything, ...], Field(max_length=16)] | None = Field(
        None, description="Metrics as in autoscaling/v2; absent: 70 % of the requested CPU, for the CPU pool only."
    )
    behavior: Behavior | None = Field(None, description="How fast the pool grows and shrinks.")
