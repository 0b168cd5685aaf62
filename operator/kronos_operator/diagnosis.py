"""Finds the root cause of a pool that is not ready, from its Deployment and its pods."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from kronos_operator.api import Manifest


class Cause(NamedTuple):
    """Why a pool is not ready, in one word and in a sentence with the cure."""

    reason: str
    message: str


class Facts(NamedTuple):
    """What is known about a pool that is not ready."""

    deployment: Manifest
    pods: tuple[Manifest, ...]


Check = Callable[[Facts], Cause | None]


def root_cause(facts: Facts) -> Cause | None:
    """The first cause that applies, in the order in which causes hide each other."""
    return next((cause for check in CHECKS if (cause := check(facts)) is not None), None)


def _conditions(manifest: Manifest, type_: str) -> Iterator[Manifest]:
    yield from (each for each in manifest.get("status", {}).get("conditions") or () if each["type"] == type_)


def _refused(facts: Facts, word: str) -> str | None:
    """The API's sentence, where it refuses the pods with this word in it."""
    for condition in _conditions(facts.deployment, "ReplicaFailure"):
        message: str = condition.get("message", "")
        if condition["status"] == "True" and word in message:
            return message
    return None


def _quota(facts: Facts) -> Cause | None:
    message = _refused(facts, "exceeded quota")
    return Cause("Quota", f"{message}: raise the namespace's quota or ask for less") if message else None


def _pod_security(facts: Facts) -> Cause | None:
    message = _refused(facts, "violates PodSecurity")
    return Cause("PodSecurity", f"{message}: change the pool's fields or the namespace's level") if message else None


def _runtime_class(facts: Facts) -> Cause | None:
    message = _refused(facts, "RuntimeClass")
    cure = "install the runtime class or change runtimeClassName"
    return Cause("RuntimeClassMissing", f"{message}: {cure}") if message else None


def _pods_refused(facts: Facts) -> Cause | None:
    message = _refused(facts, "")
    return Cause("PodsRefused", f"the API server refuses the pods: {message}") if message else None


def _scheduling(facts: Facts) -> Iterator[tuple[str, str]]:
    """(pod, the scheduler's sentence) of every pod that finds no node."""
    for pod in facts.pods:
        for condition in _conditions(pod, "PodScheduled"):
            if condition["status"] == "False":
                yield pod["metadata"]["name"], condition.get("message", "")


def _requested_devices(facts: Facts) -> list[str]:
    containers = facts.deployment["spec"]["template"]["spec"]["containers"]
    names = {name for container in containers for name in container.get("resources", {}).get("limits", {})}
    return sorted(name for name in names if "/" in name)


def _insufficient_gpu(facts: Facts) -> Cause | None:
    for pod, message in _scheduling(facts):
        for device in _requested_devices(facts):
            if f"Insufficient {device}" in message:
                cure = f"free or add a node with {device}, or lower gpu.replicas"
                return Cause("InsufficientGPU", f"pod {pod} finds no node: {message} Cure: {cure}")
    return None


def _unschedulable(facts: Facts) -> Cause | None:
    for pod, message in _scheduling(facts):
        cure = "compare the pool's nodeSelector, tolerations, affinity and resources with the nodes"
        return Cause("Unschedulable", f"pod {pod} finds no node: {message} Cure: {cure}")
    return None


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


def _containers(facts: Facts) -> Iterator[Container]:
    for pod in facts.pods:
        status = pod.get("status", {})
        for each in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
            yield Container(pod["metadata"]["name"], each)


def _waiting(facts: Facts, *reasons: str) -> Iterator[tuple[Container, str]]:
    for container in _containers(facts):
        waiting = container.state("waiting")
        if waiting.get("reason") in reasons:
            yield container, waiting.get("message", "")


def _secret_missing(facts: Facts) -> Cause | None:
    for container, message in _waiting(facts, "CreateContainerConfigError"):
        return Cause("SecretMissing", f"pod {container.pod} cannot start: {message}. Create what is missing")
    return None


def _image_pull(facts: Facts) -> Cause | None:
    for container, message in _waiting(
        facts, "ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull"
    ):
        cure = "correct the image or imagePullSecrets"
        return Cause(
            "ImagePull", f"pod {container.pod} cannot pull {container.status['image']}: {message}. Cure: {cure}"
        )
    return None


def _out_of_memory(facts: Facts) -> Cause | None:
    for container in _containers(facts):
        if container.ended.get("reason") == "OOMKilled":
            return Cause("OutOfMemory", f"pod {container.pod} ran out of memory: raise resources.limits.memory")
    return None


def _crash_loop(facts: Facts) -> Cause | None:
    for container in _containers(facts):
        if container.ended and not container.status.get("ready"):
            said = container.ended.get("message", "").strip() or f"exit code {container.ended.get('exitCode')}"
            return Cause("CrashLoop", f"pod {container.pod} ended: {said}. See kubectl logs --previous {container.pod}")
    return None


def _progress_deadline(facts: Facts) -> Cause | None:
    for condition in _conditions(facts.deployment, "Progressing"):
        if condition.get("reason") == "ProgressDeadlineExceeded":
            name = facts.deployment["metadata"]["name"]
            return Cause("ProgressDeadline", f"{condition.get('message', '')} See kubectl describe deployment {name}")
    return None


CHECKS: tuple[Check, ...] = (
    _quota,
    _pod_security,
    _runtime_class,
    _pods_refused,
    _insufficient_gpu,
    _unschedulable,
    _secret_missing,
    _image_pull,
    _out_of_memory,
    _crash_loop,
    _progress_deadline,
)
