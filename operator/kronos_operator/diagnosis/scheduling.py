"""Causes before a pod runs anywhere: the API server refuses it, or the scheduler finds no node."""

from collections.abc import Iterator

from kronos_operator.diagnosis.facts import Cause, Facts, conditions


def _refused(facts: Facts, word: str) -> str | None:
    """The API's sentence, where it refuses the pods with this word in it."""
    for condition in conditions(facts.deployment, "ReplicaFailure"):
        message: str = condition.get("message", "")
        if condition["status"] == "True" and word in message:
            return message
    return None


def quota(facts: Facts) -> Cause | None:
    """The namespace's quota is used up."""
    message = _refused(facts, "exceeded quota")
    return Cause("Quota", f"{message}: raise the namespace's quota or ask for less") if message else None


def pod_security(facts: Facts) -> Cause | None:
    """The namespace enforces a Pod Security level that the pods do not meet."""
    message = _refused(facts, "violates PodSecurity")
    return Cause("PodSecurity", f"{message}: change the pool's fields or the namespace's level") if message else None


def runtime_class(facts: Facts) -> Cause | None:
    """The runtime class does not exist."""
    message = _refused(facts, "RuntimeClass")
    cure = "install the runtime class or change runtimeClassName"
    return Cause("RuntimeClassMissing", f"{message}: {cure}") if message else None


def pods_refused(facts: Facts) -> Cause | None:
    """Anything else for which the API server refuses the pods, as a webhook."""
    message = _refused(facts, "")
    return Cause("PodsRefused", f"the API server refuses the pods: {message}") if message else None


def waiting_for_drain(facts: Facts) -> Cause | None:
    """New pods come, or find room, once the old ones have finished their requests."""
    unplaced = any(True for _ in _without_node(facts))
    if facts.leaving and (unplaced or not facts.pods):
        names = ", ".join(sorted(pod["metadata"]["name"] for pod in facts.leaving))
        return Cause("WaitingForDrain", f"waiting for the requests of {names} to finish")
    return None


def _without_node(facts: Facts) -> Iterator[tuple[str, str]]:
    """(pod, the scheduler's sentence) of every pod that finds no node."""
    for pod in facts.pods:
        for condition in conditions(pod, "PodScheduled"):
            if condition["status"] == "False":
                yield pod["metadata"]["name"], condition.get("message", "")


def _devices(facts: Facts) -> list[str]:
    containers = facts.deployment["spec"]["template"]["spec"]["containers"]
    names = {name for container in containers for name in container.get("resources", {}).get("limits", {})}
    return sorted(name for name in names if "/" in name)


def insufficient_gpu(facts: Facts) -> Cause | None:
    """No node has the accelerator free."""
    for pod, message in _without_node(facts):
        for device in _devices(facts):
            if f"Insufficient {device}" in message:
                cure = f"free or add a node with {device}, or lower gpu.replicas"
                return Cause("InsufficientGPU", f"pod {pod} finds no node: {message} Cure: {cure}")
    return None


def unbound_volume(facts: Facts) -> Cause | None:
    """The claim with the weights does not exist or is not bound."""
    for pod, message in _without_node(facts):
        if "persistentvolumeclaim" in message.lower():
            cure = "create the claim that model.source names, or wait until it is bound"
            return Cause("VolumeNotReady", f"pod {pod} waits for its volume: {message} Cure: {cure}")
    return None


def unschedulable(facts: Facts) -> Cause | None:
    """No node fits for any other reason."""
    for pod, message in _without_node(facts):
        cure = "compare the pool's nodeSelector, tolerations, affinity and resources with the nodes"
        return Cause("Unschedulable", f"pod {pod} finds no node: {message} Cure: {cure}")
    return None


def progress_deadline(facts: Facts) -> Cause | None:
    """None of the causes is known, and the deadline has passed."""
    for condition in conditions(facts.deployment, "Progressing"):
        if condition.get("reason") == "ProgressDeadlineExceeded":
            name = facts.deployment["metadata"]["name"]
            return Cause("ProgressDeadline", f"{condition.get('message', '')} See kubectl describe deployment {name}")
    return None
