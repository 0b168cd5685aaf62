"""The status names the cause of a pool that is not ready, and its cure: causes that keep pods from running anywhere."""

from typing import Any

import pytest

from e2e.causes import Case, assert_shown, assert_told, refused, unplaced, waits, warned
from e2e.workbench import NAME, NOWHERE, SMALL, Workbench, resource, wait_until

pytestmark = pytest.mark.e2e

NO_TERMS: dict[str, Any] = {
    "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}
}
UNCONFINED = {"container.apparmor.security.beta.kubernetes.io/server": "unconfined"}
ABSENT_KEY = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "absent", "key": "token"}}}
HUB = {
    "name": "a/model",
    "revision": "1" * 40,
    "tokenizer": {"name": "a/tokenizer", "revision": "1" * 40},
    "source": {"huggingFace": {"tokenSecretName": "absent"}},
}
CLAIM = {"claimName": "weights", "path": "small", "tokenizerPath": "small/tokenizer"}
ON_CLAIM = {"model": {"name": "m", "source": {"persistentVolumeClaim": CLAIM}}}
NO_IMAGE = {"image": {"reference": "localhost/kronos-no-such-weights:1", "pullPolicy": "Never"}}
PULLING = waits("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull")


def take_name(bench: Workbench) -> None:
    container = {"name": "theirs", "image": "localhost/theirs:1"}
    template = {"metadata": {"labels": {"app": "theirs"}}, "spec": {"containers": [container]}}
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "theirs"}}, "template": template}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": f"{NAME}-cpu"}, "spec": spec}
    bench.pipe(body, "create", "-f", "-")


def limit(**hard: str) -> Any:
    """A quota."""
    metadata = {"name": "tight"}
    body = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": hard}}
    return lambda bench: bench.apply(body)


def restrict(bench: Workbench) -> None:
    bench.target.kubectl("label", "namespace", bench.namespace, "pod-security.kubernetes.io/enforce=restricted")


def claim_nothing(bench: Workbench) -> None:
    """A claim that is bound to a volume whose folder is on no node."""
    name = bench.namespace
    common = {"accessModes": ["ReadOnlyMany"], "storageClassName": ""}
    size = {"storage": "1Gi"}
    folder = {"path": f"/nowhere/{name}", "type": "Directory"}
    volume = {**common, "capacity": size, "hostPath": folder, "claimRef": {"namespace": name, "name": "weights"}}
    claim = {**common, "resources": {"requests": size}, "volumeName": name}
    bench.apply({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": volume})
    bench.apply({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "weights"}, "spec": claim})


CASES = [
    Case("cpu", "NameConflict", {}, ("belongs to somebody else", "rename or delete it"), before=take_name),
    Case("cpu", "Rejected", {"affinity": NO_TERMS}, ("nodeSelectorTerms", "Required value")),
    Case(
        "cpu",
        "Quota",
        {},
        ("exceeded quota: tight", "raise the namespace's quota"),
        fact=refused,
        before=limit(pods="0"),
    ),
    Case(
        "gpu",
        "Quota",
        {"accelerator": {"resource": "example.com/gpu"}},
        ("requests.example.com/gpu", "raise the namespace's quota"),
        fact=refused,
        before=limit(**{"requests.example.com/gpu": "0"}),
    ),
    Case(
        "cpu",
        "PodSecurity",
        {"podAnnotations": UNCONFINED},
        ('violates PodSecurity "restricted', "change the pool's fields or the namespace's level"),
        fact=refused,
        before=restrict,
    ),
    Case(
        "cpu",
        "RuntimeClassMissing",
        {"runtimeClassName": "absent"},
        ('RuntimeClass "absent" not found', "install the runtime class or change runtimeClassName"),
        fact=refused,
    ),
    Case(
        "cpu",
        "PodsRefused",
        {"priorityClassName": "absent"},
        ("no PriorityClass with name absent was found",),
        fact=refused,
    ),
    Case(
        "gpu",
        "InsufficientGPU",
        {"accelerator": {"count": 16}, "resources": SMALL},
        ("Insufficient nvidia.com/gpu", "free or add a node with nvidia.com/gpu, or lower gpu.replicas"),
        fact=unplaced,
    ),
    Case(
        "cpu",
        "Unschedulable",
        {"nodeSelector": NOWHERE},
        ("finds no node", "compare the pool's nodeSelector"),
        fact=unplaced,
    ),
    Case(
        "cpu",
        "Unschedulable",
        {"resources": {"requests": {"cpu": "999"}}},
        ("Insufficient cpu", "resources with the nodes"),
        fact=unplaced,
    ),
    Case(
        "cpu",
        "VolumeNotReady",
        {"resources": SMALL},
        ('persistentvolumeclaim "weights" not found', "create the claim that model.source names"),
        fact=unplaced,
        rest=ON_CLAIM,
    ),
    Case(
        "cpu",
        "VolumeNotReady",
        {"resources": SMALL},
        ("cannot mount a volume", "Check model.source"),
        fact=warned("FailedMount", "hostPath type check failed"),
        before=claim_nothing,
        rest=ON_CLAIM,
    ),
    Case(
        "cpu",
        "SecretMissing",
        {"resources": SMALL, "env": [ABSENT_KEY]},
        ('secret "absent" not found', "Create what is missing"),
        fact=waits("CreateContainerConfigError"),
    ),
    Case(
        "cpu",
        "SecretMissing",
        {"resources": SMALL},
        ('secret "absent" not found', "Create what is missing"),
        fact=waits("CreateContainerConfigError"),
        rest={"model": HUB},
    ),
    Case(
        "cpu",
        "SecretMissing",
        {"resources": SMALL},
        ('secret "absent" not found', "Create what is missing"),
        fact=warned("FailedMount", 'secret "absent" not found'),
        rest={"server": {"apiKeysSecretName": "absent"}},
    ),
    Case(
        "cpu",
        "ImagePull",
        {"image": "localhost/no-such-image:1", "resources": SMALL},
        ("localhost/no-such-image:1", "correct the image"),
        fact=PULLING,
    ),
    Case(
        "cpu",
        "ImagePull",
        {"resources": SMALL},
        ("localhost/kronos-no-such-weights:1", "model.source.image"),
        fact=PULLING,
        rest={"model": {"name": "m", "source": NO_IMAGE}},
    ),
]


def _id(case: Case) -> str:
    return f"{case.reason} {' '.join([*case.fields, *case.rest])}".strip()


@pytest.mark.parametrize("case", CASES, ids=_id)
def test_the_cause_and_its_cure_are_on_the_resource(bench: Workbench, case: Case) -> None:
    assert_told(bench, case)
    bench.target.kubectl("delete", "persistentvolume", bench.namespace, "--ignore-not-found", "--wait=false")


def test_a_pool_that_waits_for_old_pods_to_finish_says_so(bench: Workbench) -> None:
    bench.apply(resource({"gpu": {"resources": SMALL}, "server": {"drainSeconds": 30}}))
    wait_until("ready", bench.ready, 180)
    bench.patch({"gpu": {"podAnnotations": {"example.com/note": "new"}}})
    wait_until("the old pod leaving", lambda: _leaving(bench) != [], 30)
    assert_shown(bench, "gpu", "WaitingForDrain", f"waiting for the requests of {_leaving(bench)[0]} to finish")


def _leaving(bench: Workbench) -> list[str]:
    pods = [pod["metadata"] for pod in bench.items("pods").values()]
    return [metadata["name"] for metadata in pods if "deletionTimestamp" in metadata]
