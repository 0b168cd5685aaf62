"""Causes on the node: volumes, images, and what the containers do."""

from kronos_operator.diagnosis.facts import Cause, Facts

PULL_REASONS = ("ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull")


def volume_not_ready(facts: Facts) -> Cause | None:
    """The kubelet cannot mount a volume."""
    for pod, message in facts.warned("FailedMount"):
        if "secret" in message:
            return Cause("SecretMissing", f"pod {pod} cannot start: {message}. Create what is missing")
        return Cause("VolumeNotReady", f"pod {pod} cannot mount a volume: {message}. Check model.source")
    return None


def secret_missing(facts: Facts) -> Cause | None:
    """A variable names a Secret, a ConfigMap or a key that does not exist."""
    for container, message in facts.waiting("CreateContainerConfigError"):
        return Cause("SecretMissing", f"pod {container.pod} cannot start: {message}. Create what is missing")
    return None


def image_pull(facts: Facts) -> Cause | None:
    """The kubelet cannot pull the server's image, or the image that holds the weights."""
    for container, message in facts.waiting(*PULL_REASONS):
        # The container's own image may be fine: it waits for an image volume in the same words.
        what = message or container.status["image"]
        cure = "correct the image, model.source.image or imagePullSecrets"
        return Cause("ImagePull", f"pod {container.pod} cannot pull an image: {what}. Cure: {cure}")
    return None


def model_fetch(facts: Facts) -> Cause | None:
    """The hub does not give the checkpoint, or gives another than it says."""
    for container in facts.containers():
        if container.failed and container.status["name"].startswith(("fetch-", "verify-")):
            said = container.said[-500:] or f"exit code {container.ended.get('exitCode')}"
            cure = "check model.name, revision, the token's Secret and the way to the hub"
            return Cause("ModelFetch", f"pod {container.pod} cannot fetch the model: {said}. Cure: {cure}")
    return None


def _left(facts: Facts, reason: str, cure: str) -> Cause | None:
    """What a server left as its termination message, where it begins with this reason."""
    for container in facts.containers():
        if container.failed and container.said.startswith(f"{reason}:"):
            said = container.said.removeprefix(f"{reason}:").strip()
            return Cause(reason, f"the server of pod {container.pod} ended: {said}. Cure: {cure}")
    return None


def model_invalid(facts: Facts) -> Cause | None:
    """The checkpoint is missing, broken or not the one that was asked for."""
    return _left(facts, "ModelInvalid", "correct model.sha256, or the files that model.source leads to")


def device_unavailable(facts: Facts) -> Cause | None:
    """The node gives the container no device that the server could use."""
    return _left(facts, "DeviceUnavailable", "check the node's driver and device plugin, and runtimeClassName")


def out_of_memory(facts: Facts) -> Cause | None:
    """The kernel ended the container for using more memory than its limit."""
    for container in facts.containers():
        if container.failed and container.ended.get("reason") == "OOMKilled":
            return Cause("OutOfMemory", f"pod {container.pod} ran out of memory: raise resources.limits.memory")
    return None


def crash_loop(facts: Facts) -> Cause | None:
    """The container ends by itself."""
    for container in facts.containers():
        if container.failed:
            said = container.said or f"exit code {container.ended.get('exitCode')}"
            see = f"kubectl logs --previous {container.pod}"
            return Cause("CrashLoop", f"a container of pod {container.pod} ended: {said}. See {see}")
    return None


def probe_failing(facts: Facts) -> Cause | None:
    """The server runs and does not become ready, or stops being so."""
    started = {container.pod for container in facts.containers() if container.status.get("started")}
    for pod, message in facts.warned("Unhealthy"):
        if pod in started:
            return Cause("ProbeFailing", f"pod {pod} runs and is not ready: {message}. See kubectl logs {pod}")
    return None
