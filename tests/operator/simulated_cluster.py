"""Plays the cluster for one resource, second by second: controllers, kubelet and endpoints, as a plan sees them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from kronos_operator.api import Manifest, Server, parse
from kronos_operator.identity import REVISION_LABEL
from kronos_operator.observed import ObjectKey, Observed, object_key
from kronos_operator.plan import plan
from kronos_operator.render import render, templates
from kronos_operator.settings import Settings
from kronos_operator.status import status
from tests.operator.facts import container, live_pod, live_slice

SETTINGS = Settings()
START_SECONDS = 8  # from a pod's creation until it is ready
BACK_OFF_SECONDS = 12  # until the kubelet backs off from an image that cannot be pulled
BROKEN = "localhost/broken:1"
# The kinds that a plan looks at again.
SEEN_AGAIN = {"Service", "ControllerRevision", "Deployment"}


@dataclass
class Pod:
    name: str
    template: Manifest
    age: int = 0

    @property
    def broken(self) -> bool:
        image: str = self.template["spec"]["containers"][0]["image"]
        return image == BROKEN

    @property
    def ready(self) -> bool:
        return self.age >= START_SECONDS and not self.broken

    def manifest(self, pool: str) -> Manifest:
        backs_off = self.broken and self.age >= BACK_OFF_SECONDS
        state = {"waiting": {"reason": "ImagePullBackOff"}} if backs_off else {"running": {}}
        live = live_pod(pool, self.name, containerStatuses=[container(ready=self.ready, **state)])
        live["metadata"]["labels"][REVISION_LABEL] = self.template["metadata"]["labels"][REVISION_LABEL]
        return live


@dataclass
class SimulatedCluster:
    """Everything that the operator's writes and the time lead to.

    objects: what was applied and not pruned.
    selected: the pool that each route's endpoints come from; they follow the Service one second late.
    """

    spec: dict[str, Any]
    now: datetime = datetime(2026, 1, 2, tzinfo=UTC)
    generation: int = 1
    status: dict[str, Any] = field(default_factory=dict)
    objects: dict[ObjectKey, Manifest] = field(default_factory=dict)
    pods: dict[str, list[Pod]] = field(default_factory=lambda: {"cpu": [], "gpu": []})
    selected: dict[str, str] = field(default_factory=dict)
    made: int = 0

    def edit(self, spec: dict[str, Any]) -> None:
        self.spec = spec
        self.generation += 1

    def pass_second(self) -> None:
        """The operator reconciles once, then the cluster does its part."""
        self.selected = {route: self._selects(route) for route in ("single", "batch") if self._selects(route)}
        self._reconcile()
        for pool, pods in self.pods.items():
            for pod in pods:
                pod.age += 1
            self._control(pool)
        self.now += timedelta(seconds=1)

    def ready(self, pool: str) -> list[str]:
        return [pod.name for pod in self.pods[pool] if pod.ready]

    def answers(self, route: str) -> bool:
        """Whether a request over the route finds a ready pod behind the endpoints that the edge knows."""
        return bool(self.ready(self.selected[route]))

    def server(self) -> Server:
        metadata = {"name": "kronos", "namespace": "demo", "uid": "uid-1", "generation": self.generation}
        return parse({"metadata": metadata, "spec": self.spec, "status": self.status})

    def _reconcile(self) -> None:
        server, seen = self.server(), self._observe()
        planned = plan(server, templates(server, SETTINGS), seen, self.now)
        wanted = {object_key(each): each for each in render(server, planned) if each["kind"] in SEEN_AGAIN}
        kept = {
            key: live
            for key, live in self.objects.items()
            if live["metadata"]["labels"].get("kronos.dev/pool") in planned.retained
        }
        self.status = status(server, seen, planned, SETTINGS, self.now).manifest()
        self.objects = {**kept, **{key: self._applied(key, manifest) for key, manifest in wanted.items()}}

    def _applied(self, key: ObjectKey, manifest: Manifest) -> Manifest:
        before = self.objects.get(key)
        if key.kind != "Deployment":
            return manifest
        changed = before is None or before["spec"] != manifest["spec"]
        generation = (before["metadata"]["generation"] if before else 0) + changed
        return {**manifest, "metadata": {**manifest["metadata"], "generation": generation}, "status": {}}

    def _selects(self, route: str) -> str:
        service = self.objects.get(ObjectKey("Service", f"kronos-{route}"))
        selected: str = service["spec"]["selector"]["kronos.dev/pool"] if service else ""
        return selected

    def _observe(self) -> Observed:
        slices = [live_slice(f"kronos-{pool}", 0, tuple(self.ready(pool))) for pool in self.pods]
        slices += [live_slice(f"kronos-{route}", 0, tuple(self.ready(pool))) for route, pool in self.selected.items()]
        objects = {key: self._with_counts(live) for key, live in self.objects.items()}
        pods = tuple(pod.manifest(pool) for pool, pods in self.pods.items() for pod in pods)
        return Observed(objects=objects, pods=pods, slices=tuple(slices))

    def _with_counts(self, live: Manifest) -> Manifest:
        if live["kind"] != "Deployment":
            return live
        pods = self.pods[live["metadata"]["labels"]["kronos.dev/pool"]]
        counts = {
            "replicas": len(pods),
            "updatedReplicas": len([pod for pod in pods if pod.template == live["spec"]["template"]]),
            "readyReplicas": len([pod for pod in pods if pod.ready]),
            "observedGeneration": live["metadata"]["generation"],
        }
        return {**live, "status": counts}

    def _control(self, pool: str) -> None:
        """One step of the Deployment controller."""
        live = self.objects.get(ObjectKey("Deployment", f"kronos-{pool}"))
        if live is None:
            self.pods[pool] = []
            return
        spec, pods = live["spec"], self.pods[pool]
        old = [pod for pod in pods if pod.template != spec["template"]]
        new = [pod for pod in pods if pod.template == spec["template"]][: spec["replicas"]]
        if spec["strategy"]["type"] == "Recreate":
            room = 0 if old else spec["replicas"] - len(new)
            old = []
        else:
            bounds = spec["strategy"]["rollingUpdate"]
            spare = len([pod for pod in pods if pod.ready]) - spec["replicas"] + bounds["maxUnavailable"]
            old = _without(old, max(0, spare))
            room = min(spec["replicas"] - len(new), spec["replicas"] + bounds["maxSurge"] - len(new) - len(old))
        self.pods[pool] = [*old, *new, *(self._pod(pool, spec["template"]) for _ in range(max(0, room)))]

    def _pod(self, pool: str, template: Manifest) -> Pod:
        self.made += 1
        return Pod(f"{pool}-{self.made}", template)


def _without(old: list[Pod], spare: int) -> list[Pod]:
    """Old pods, less those that are not ready and so many that are."""
    ready = [pod for pod in old if pod.ready]
    return ready[spare:]
