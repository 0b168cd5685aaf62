"""What is known about a pool that is not ready."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from kronos_operator.api import Manifest


class Cause(NamedTuple):
    """Why a pool is not ready, in one word and in a sentence with the cure."""

    reason: str
    message: str


class Container(NamedTuple):
    """One container's status, and the pod it belongs to."""

    pod: str
    status: Manifest

    def state(self, name: str) -> dict[str, Any]:
        """The details of a state, empty where the container is in another."""
        return self.status.get("state", {}).get(name) or {}

    @property
    def ended(self) -> dict[str, Any]:
        """Details of the last end, whether or not the container was started again."""
        return self.state("terminated") or self.status.get("lastState", {}).get("terminated") or {}

    @property
    def failed(self) -> bool:
        """Whether its last end was a failure that it has not recovered from."""
        return bool(self.ended) and self.ended.get("exitCode", 1) != 0 and not self.status.get("ready")

    @property
    def said(self) -> str:
        """What it left as its termination message."""
        return str(self.ended.get("message", "")).strip()


class Facts(NamedTuple):
    """A pool's Deployment, its pods, and the warnings about them that were read."""

    deployment: Manifest
    all_pods: tuple[Manifest, ...]
    warnings: tuple[Manifest, ...] = ()

    @property
    def pods(self) -> tuple[Manifest, ...]:
        """The pods that stay: what a leaving pod says, as its exit code, is no cause."""
        return tuple(pod for pod in self.all_pods if "deletionTimestamp" not in pod["metadata"])

    @property
    def leaving(self) -> tuple[Manifest, ...]:
        """The pods that are being deleted."""
        return tuple(pod for pod in self.all_pods if "deletionTimestamp" in pod["metadata"])

    def containers(self) -> Iterator[Container]:
        """All containers of the pods that stay."""
        for pod in self.pods:
            status = pod.get("status", {})
            for each in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
                yield Container(pod["metadata"]["name"], each)

    def waiting(self, *reasons: str) -> Iterator[tuple[Container, str]]:
        """Containers that wait for one of these reasons, with the kubelet's sentence."""
        for container in self.containers():
            waiting = container.state("waiting")
            if waiting.get("reason") in reasons:
                yield container, waiting.get("message", "")

    def warned(self, reason: str) -> Iterator[tuple[str, str]]:
        """(pod, sentence) of every warning for this reason about a pod that stays."""
        names = {pod["metadata"]["name"] for pod in self.pods}
        for event in self.warnings:
            pod = event["involvedObject"]["name"]
            if event.get("reason") == reason and pod in names:
                yield pod, event.get("message", "")


Check = Callable[[Facts], Cause | None]


def conditions(manifest: Manifest, type_: str) -> Iterator[Manifest]:
    """A live object's conditions of that type."""
    yield from (each for each in manifest.get("status", {}).get("conditions") or () if each["type"] == type_)
