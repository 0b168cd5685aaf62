"""What was observed, as the resource's status shows it."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from kronos_operator.api.pool import PoolName
from kronos_operator.api.structure import Structure, keyed_by

Truth = Literal["True", "False", "Unknown"]
EPOCH = "1970-01-01T00:00:00Z"


class Condition(Structure):
    """One observation, in the form of meta/v1 Condition."""

    type: str = Field(max_length=316, description="What is observed.")
    status: Truth = Field(description="Whether it holds.")
    reason: str = Field(max_length=1024, description="Why, in one word.")
    message: str = Field("", max_length=32768, description="Why, and what to do, in a sentence.")
    observed_generation: int | None = Field(None, description="The generation of the spec that was looked at.")
    last_transition_time: str = Field(
        EPOCH, description="When status last changed.", json_schema_extra={"format": "date-time"}
    )


class PoolStatus(Structure):
    """One pool."""

    name: PoolName = Field(description="Name of the pool.")
    desired: int = Field(0, description="Pods that are wanted.")
    ready: int = Field(0, description="Pods that are ready.")
    updated: int = Field(0, description="Pods of the current template.")
    summary: str = Field("", description="Ready of desired, as 2/2.")
    model: str | None = Field(None, description="Model that the pool is given.")
    rejected_revision: str | None = Field(None, description="Template that failed and is not tried again.")
    rejected_because: str | None = Field(None, description="Why that template failed.")
    unavailable_since: str | None = Field(
        None, description="Since when no pod is ready.", json_schema_extra={"format": "date-time"}
    )
    available_since: str | None = Field(
        None, description="Since when some pod is ready, without a break.", json_schema_extra={"format": "date-time"}
    )


class RouteStatus(Structure):
    """One route."""

    pool: PoolName = Field(description="The pool that answers now.")
    since: str = Field(description="Since when.", json_schema_extra={"format": "date-time"})


class RouteStatuses(Structure):
    """Both routes."""

    single: RouteStatus | None = Field(None, description="Route of /v1/predict/single.")
    batch: RouteStatus | None = Field(None, description="Route of /v1/predict/batch.")


PENDING = Condition(
    type="Ready", status="Unknown", reason="Pending", message="The operator has not looked at this object yet."
)


class Status(Structure):
    """What was observed."""

    model_config = ConfigDict(extra="ignore")
    observed_generation: int | None = Field(None, description="The generation of the spec that was looked at.")
    conditions: Annotated[tuple[Condition, ...], Field(json_schema_extra=keyed_by("type"))] = Field(
        (), description="Observations."
    )
    pools: Annotated[tuple[PoolStatus, ...], Field(json_schema_extra=keyed_by("name"))] = Field(
        (), description="The declared pools."
    )
    routes: RouteStatuses | None = Field(None, description="The pool that answers each route now.")
    url: str | None = Field(None, description="Where forecasts can be asked for.")

    def pool(self, name: PoolName) -> PoolStatus | None:
        """The pool of that name, if it was ever written."""
        return next((pool for pool in self.pools if pool.name == name), None)

    def condition(self, type_: str) -> Condition | None:
        """The condition of that type, if it was ever written."""
        return next((condition for condition in self.conditions if condition.type == type_), None)
