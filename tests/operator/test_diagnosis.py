"""The root cause of a pool that is not ready."""

from typing import Any

import pytest

from kronos_operator.api import Manifest
from kronos_operator.diagnosis import Cause, Facts, root_cause
from tests.operator.facts import container, live_deployment, live_pod

NO_NODE = "0/1 nodes are available: 1 {}."


def unschedulable(message: str) -> dict[str, Any]:
    return {"conditions": [{"type": "PodScheduled", "status": "False", "message": message}]}


def refused(message: str) -> dict[str, Any]:
    return {"conditions": [{"type": "ReplicaFailure", "status": "True", "message": message}]}


def gpu_deployment(**status: Any) -> Manifest:
    deployment = live_deployment("gpu", ready=0, **status)
    pod = deployment["spec"]["template"]["spec"]
    pod["containers"][0]["resources"] = {"limits": {"cpu": "1", "nvidia.com/gpu": "1"}}
    return deployment


def diagnose(*pods: dict[str, Any], deployment: Manifest | None = None) -> Cause | None:
    live = tuple(live_pod("gpu", f"pod-{number}", **status) for number, status in enumerate(pods))
    return root_cause(Facts(deployment or gpu_deployment(), live))


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (unschedulable(NO_NODE.format("Insufficient nvidia.com/gpu")), "InsufficientGPU"),
        (unschedulable(NO_NODE.format("Insufficient cpu")), "Unschedulable"),
        (unschedulable(NO_NODE.format("node(s) had untolerated taint")), "Unschedulable"),
        (unschedulable('persistentvolumeclaim "weights" not found'), "VolumeNotReady"),
        ({"containerStatuses": [container(waiting={"reason": "CreateContainerConfigError"})]}, "SecretMissing"),
        ({"containerStatuses": [container(waiting={"reason": "ImagePullBackOff"})]}, "ImagePull"),
        ({"containerStatuses": [container(waiting={"reason": "ErrImagePull"})]}, "ImagePull"),
        ({"initContainerStatuses": [container(waiting={"reason": "ErrImagePull"})]}, "ImagePull"),
        ({"containerStatuses": [container(terminated={"reason": "OOMKilled"})]}, "OutOfMemory"),
        ({"containerStatuses": [container(running={}, last={"reason": "OOMKilled", "exitCode": 137})]}, "OutOfMemory"),
        ({"containerStatuses": [container(running={}, last={"reason": "Error", "exitCode": 1})]}, "CrashLoop"),
        ({"containerStatuses": [container(running={}, last={"message": "ModelInvalid: x"})]}, "ModelInvalid"),
        ({"containerStatuses": [container(running={}, last={"message": "DeviceUnavailable: x"})]}, "DeviceUnavailable"),
        ({"initContainerStatuses": [container("fetch-model", terminated={"exitCode": 1})]}, "ModelFetch"),
        ({"initContainerStatuses": [container("verify-model", terminated={"exitCode": 1})]}, "ModelFetch"),
    ],
)
def test_a_pods_state_names_its_cause(status: dict[str, Any], reason: str) -> None:
    cause = diagnose(status)
    assert cause
    assert cause.reason == reason


@pytest.mark.parametrize(
    ("warning", "status", "reason"),
    [
        ("FailedMount", {}, "VolumeNotReady"),
        ("Unhealthy", {"containerStatuses": [container(running={}) | {"started": True}]}, "ProbeFailing"),
        ("Unhealthy", {"containerStatuses": [container(running={}) | {"started": False}]}, None),
        ("BackOff", {}, None),
    ],
)
def test_a_warning_about_a_pod_names_its_cause(warning: str, status: dict[str, Any], reason: str | None) -> None:
    event = {"reason": warning, "message": "what happened", "involvedObject": {"name": "pod-0"}}
    other = {"reason": warning, "message": "elsewhere", "involvedObject": {"name": "another"}}
    cause = root_cause(Facts(gpu_deployment(), (live_pod("gpu", **status),), (other, event)))
    assert (cause.reason if cause else None) == reason
    assert cause is None or "what happened" in cause.message


def leaving(name: str) -> Manifest:
    pod = live_pod("gpu", name, containerStatuses=[container(terminated={"exitCode": 137, "reason": "Error"})])
    pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return pod


def test_a_leaving_pod_is_waited_for_and_its_end_is_no_crash() -> None:
    no_room = live_pod("gpu", "new", **unschedulable(NO_NODE.format("Insufficient nvidia.com/gpu")))
    for pods in ((leaving("old"),), (leaving("old"), no_room)):
        cause = root_cause(Facts(gpu_deployment(), pods))
        assert cause
        assert cause.reason == "WaitingForDrain"
        assert "old" in cause.message
    assert root_cause(Facts(gpu_deployment(), (leaving("old"), live_pod("gpu", "new")))) is None


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ('pods "x" is forbidden: exceeded quota: gpus, requested: requests.nvidia.com/gpu=1', "Quota"),
        ('pods "x" is forbidden: violates PodSecurity "restricted:latest"', "PodSecurity"),
        ('pods "x" is forbidden: pod rejected: RuntimeClass "nvidia" not found', "RuntimeClassMissing"),
        ("admission webhook denied the request: no", "PodsRefused"),
    ],
)
def test_a_refused_pod_names_its_cause(message: str, reason: str) -> None:
    cause = diagnose(deployment=gpu_deployment(**refused(message)))
    assert cause
    assert cause.reason == reason
    assert message in cause.message


def test_the_scheduler_speaks_before_the_deadline() -> None:
    late = {"conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]}
    waiting = unschedulable(NO_NODE.format("Insufficient nvidia.com/gpu"))
    assert diagnose(deployment=gpu_deployment(**late)) is not None
    cause = diagnose(waiting, deployment=gpu_deployment(**late))
    assert cause
    assert cause.reason == "InsufficientGPU"


def test_a_message_names_the_pod_and_what_the_server_said() -> None:
    ended = container(running={}, last={"exitCode": 1, "message": "model.safetensors: missing tensor head.weight\n"})
    cause = diagnose({"containerStatuses": [ended]})
    assert cause
    assert "pod-0" in cause.message
    assert "missing tensor head.weight" in cause.message


@pytest.mark.parametrize(
    ("said", "cure"),
    [("ModelInvalid: its sha256 is another", "correct model.sha256"), ("DeviceUnavailable: no cuda", "driver")],
)
def test_what_the_server_says_of_its_end_comes_with_a_cure(said: str, cure: str) -> None:
    cause = diagnose({"containerStatuses": [container(terminated={"exitCode": 1, "message": said})]})
    assert cause
    assert said.partition(": ")[2] in cause.message
    assert cure in cause.message


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"conditions": [{"type": "PodScheduled", "status": "True"}]},
        {"containerStatuses": [container(running={})]},
        {"containerStatuses": [container(waiting={"reason": "ContainerCreating"})]},
        {"containerStatuses": [container(running={}, last={"exitCode": 0})]},
        {"containerStatuses": [container(running={}, ready=True, last={"exitCode": 1})]},
    ],
)
def test_a_pod_that_only_needs_time_has_no_cause(status: dict[str, Any]) -> None:
    assert diagnose(status) is None
