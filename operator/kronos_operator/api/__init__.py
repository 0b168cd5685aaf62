"""The custom resource: its names, and the body of one object as a typed value."""

from dataclasses import dataclass
from typing import Any

from kronos_operator.api.pool import POOLS, CpuPool, GpuPool, PoolName
from kronos_operator.api.spec import ROUTES, RouteName, Spec
from kronos_operator.api.status import Condition, PoolStatus, RouteStatus, RouteStatuses, Status
from kronos_operator.api.structure import Manifest

GROUP = "kronos.dev"
VERSION = "v1alpha1"
KIND = "KronosDeployment"
PLURAL = "kronosdeployments"
RESTARTED_AT = f"{GROUP}/restartedAt"
API_VERSION = f"{GROUP}/{VERSION}"

__all__ = [
    "API_VERSION",
    "GROUP",
    "KIND",
    "PLURAL",
    "POOLS",
    "RESTARTED_AT",
    "ROUTES",
    "VERSION",
    "Condition",
    "CpuPool",
    "GpuPool",
    "Manifest",
    "PoolName",
    "PoolStatus",
    "RouteName",
    "RouteStatus",
    "RouteStatuses",
    "Server",
    "Spec",
    "Status",
    "parse",
]


@dataclass(frozen=True, slots=True)
class Server:
    """One KronosDeployment, parsed once and then trusted."""

    name: str
    namespace: str
    uid: str
    generation: int
    spec: Spec
    status: Status
    restarted_at: str | None = None

    @property
    def pools(self) -> dict[PoolName, CpuPool | GpuPool]:
        """The declared pools, CPU first."""
        return {name: pool for name in POOLS if (pool := self.spec.pool(name)) is not None}


def parse(body: dict[str, Any]) -> Server:
    """Parse a KronosDeployment as the API server returns it.

    Raises pydantic.ValidationError for a body that the schema would refuse, as one stored under an older schema.
    """
    metadata = body["metadata"]
    return Server(
        name=metadata["name"],
        namespace=metadata["namespace"],
        uid=metadata["uid"],
        generation=metadata["generation"],
        spec=Spec.model_validate(body["spec"]),
        status=Status.model_validate(body.get("status", {})),
        restarted_at=metadata.get("annotations", {}).get(RESTARTED_AT),
    )
