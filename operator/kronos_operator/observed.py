"""What one look at the cluster found for one custom resource."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple, Self

from kronos_operator.api import POOLS, Manifest, PoolName, RouteName, Server
from kronos_operator.identity import POOL_LABEL, pool_object_name, route_object_name
from kronos_operator.kinds import DEPLOYMENT, INGRESS, SERVICE, Kind


class ObjectKey(NamedTuple):
    """Names one object inside the resource's namespace."""

    kind: str
    name: str


def object_key(manifest: Manifest) -> ObjectKey:
    """The key of a manifest or of a live object."""
    return ObjectKey(manifest["kind"], manifest["metadata"]["name"])


def is_puzzling(pod: Manifest) -> bool:
    """Whether a pod has a node, is meant to stay and is not ready: then its events may say why."""
    if "deletionTimestamp" in pod["metadata"] or "nodeName" not in pod["spec"]:
        return False
    conditions = pod.get("status", {}).get("conditions") or ()
    return not any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


class Problem(NamedTuple):
    """An owned object that could not be applied, and why."""

    key: ObjectKey
    reason: str
    message: str

    def __str__(self) -> str:
        return f"{self.key.kind} {self.key.name}: {self.message}"


@dataclass(frozen=True, slots=True)
class Observed:
    """Live objects, as the API server returned them.

    slices: of all Services; warnings: events about pods that are not ready;
    unserved: kinds that cannot be read, with reason and message; problems: objects that could not be applied.
    """

    objects: Mapping[ObjectKey, Manifest] = field(default_factory=dict)
    pods: tuple[Manifest, ...] = ()
    slices: tuple[Manifest, ...] = ()
    warnings: tuple[Manifest, ...] = ()
    unserved: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def object(self, kind: Kind, name: str) -> Manifest | None:
        """A live object, if it is there."""
        return self.objects.get(ObjectKey(kind.name, name))

    def problem(self, kind: Kind, name: str) -> Problem | None:
        """What kept an object from being applied, if anything did."""
        return next((each for each in self.problems if each.key == ObjectKey(kind.name, name)), None)

    def deployment(self, server: Server, pool: PoolName) -> Manifest | None:
        """The pool's Deployment, if it is there."""
        return self.object(DEPLOYMENT, pool_object_name(server, pool))

    def ingress(self, server: Server) -> Manifest | None:
        """The Ingress, if it is there."""
        return self.object(INGRESS, server.name)

    def pool_pods(self, pool: PoolName) -> tuple[Manifest, ...]:
        """The pods of one pool."""
        return tuple(pod for pod in self.pods if pod["metadata"]["labels"].get(POOL_LABEL) == pool)

    def selected_pool(self, server: Server, route: RouteName) -> PoolName | None:
        """The pool that a route's Service selects now."""
        service = self.object(SERVICE, route_object_name(server, route))
        selected = service["spec"].get("selector", {}).get(POOL_LABEL) if service else None
        return next((pool for pool in POOLS if pool == selected), None)

    def ready_pods(self, service: str) -> set[str]:
        """Names of the pods behind the ready endpoints of a Service."""
        return {
            endpoint.get("targetRef", {}).get("name", "")
            for endpoint in self._endpoints(service)
            if endpoint.get("conditions", {}).get("ready", True)
        }

    def endpoints_written(self, service: str) -> datetime | None:
        """When the endpoints of a Service were last written, to the second; None where nobody says so."""
        entries = [entry for part in self._slices(service) for entry in part["metadata"].get("managedFields") or ()]
        return max((datetime.fromisoformat(entry["time"]) for entry in entries if "time" in entry), default=None)

    def _endpoints(self, service: str) -> list[Manifest]:
        return [endpoint for part in self._slices(service) for endpoint in part.get("endpoints") or ()]

    def _slices(self, service: str) -> list[Manifest]:
        return [part for part in self.slices if part["metadata"]["labels"].get("kubernetes.io/service-name") == service]

    def with_applied(self, applied: Mapping[ObjectKey, Manifest], problems: tuple[Problem, ...]) -> Self:
        """What is known after an apply: the objects as it returned them, and those it could not apply."""
        return replace(self, objects={**self.objects, **applied}, problems=problems)
