"""The API server takes all that is rendered without a warning where Pod Security `restricted` is enforced."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from cluster.layout import REPOSITORY
from cluster.processes import succeeds
from cluster.progress import StepFailed
from cluster.target import Target
from e2e.every_kind import KINDS
from e2e.workbench import NOWHERE, Workbench, own_namespace, resource, wait_until
from kronos_operator.api.structure import Manifest

pytestmark = pytest.mark.e2e

EXAMPLES = sorted((REPOSITORY / "examples").glob("*.yaml"))
GOLDEN = REPOSITORY / "tests" / "operator" / "golden"
# What the complete example refers to beyond its namespace.
RUNTIME_CLASS = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "nvidia"}}
PRIORITY_CLASS = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "forecasts"}}
CLUSTER_WIDE: tuple[Manifest, ...] = ({**RUNTIME_CLASS, "handler": "runc"}, {**PRIORITY_CLASS, "value": 0})


@pytest.fixture(scope="module")
def restricted(target: Target) -> Iterator[Workbench]:
    """A namespace in which a pod that is not restricted is refused, and an object that would make one is warned of."""
    with own_namespace(target) as bench, _cluster_wide(bench):
        _restrict(bench)
        yield bench


@contextmanager
def _cluster_wide(bench: Workbench) -> Iterator[None]:
    """The classes that the complete example names; those that were not there before are gone afterwards."""
    made = [each for each in CLUSTER_WIDE if not _exists(bench.target, each)]
    for each in made:
        bench.apply(each)
    yield
    for each in made:
        bench.target.kubectl("delete", each["kind"], each["metadata"]["name"])


def _restrict(bench: Workbench) -> None:
    levels = [f"pod-security.kubernetes.io/{mode}=restricted" for mode in ("enforce", "warn")]
    bench.target.kubectl("label", "namespace", bench.namespace, *levels)


def _exists(target: Target, manifest: Manifest) -> bool:
    name = manifest["metadata"]["name"]
    return succeeds(target.tool("kubectl"), "--kubeconfig", target.kubeconfig, "get", manifest["kind"], name)


def _golden(example: Path, bench: Workbench) -> list[Manifest]:
    manifests = list(yaml.safe_load_all((GOLDEN / example.name).read_text()))
    return [{**each, "metadata": {**each["metadata"], "namespace": bench.namespace}} for each in manifests]


def _pod(deployment: Manifest) -> Manifest:
    template = deployment["spec"]["template"]
    metadata = {"name": deployment["metadata"]["name"], "namespace": deployment["metadata"]["namespace"]}
    return {"apiVersion": "v1", "kind": "Pod", **template, "metadata": {**template["metadata"], **metadata}}


def _provide_account(bench: Workbench, name: str) -> None:
    """Pods need theirs; that of the example has an owner who is not there, and would be collected."""
    bench.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}})


def _complaint(bench: Workbench, *manifests: Manifest) -> str:
    """What the API server says against manifests, as an error or as a warning."""
    dry = ["apply", "--server-side", "--dry-run=server", "--warnings-as-errors", "-f", "-"]
    return bench.pipe({"apiVersion": "v1", "kind": "List", "items": list(manifests)}, *dry, check=False)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_every_manifest_of_an_example_and_its_pods_are_taken_without_a_warning(
    restricted: Workbench, example: Path
) -> None:
    manifests = _golden(example, restricted)
    assert _complaint(restricted, *manifests) == ""
    _provide_account(restricted, manifests[0]["metadata"]["name"])
    pods = [_pod(each) for each in manifests if each["kind"] == "Deployment"]
    assert pods
    assert _complaint(restricted, *pods) == ""


@pytest.mark.parametrize("part", ["securityContext", "containers"])
def test_a_manifest_that_is_not_restricted_would_be_told(restricted: Workbench, part: str) -> None:
    deployment = next(each for each in _golden(EXAMPLES[0], restricted) if each["kind"] == "Deployment")
    spec = deployment["spec"]["template"]["spec"]
    spec[part] = {} if part == "securityContext" else [{**each, "securityContext": {}} for each in spec[part]]
    assert 'would violate PodSecurity "restricted' in _complaint(restricted, deployment)
    assert 'violates PodSecurity "restricted' in _complaint(restricted, _pod(deployment))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.stem)
def test_the_operator_brings_about_every_object_of_an_example(bench: Workbench, example: Path) -> None:
    name = yaml.safe_load(example.read_text())["metadata"]["name"]
    _restrict(bench)
    _forbid_pods(bench)
    bench.kubectl("apply", "--server-side", "-f", example)
    wanted = {f"{each['kind']}/{each['metadata']['name']}" for each in _golden(example, bench)}
    wait_until("all objects", lambda: wanted == set(bench.items(KINDS, f"kronos.dev/deployment={name}")), 30)
    wait_until("the status", lambda: bench.condition("Ready", name).get("reason") == "Quota", 30)
    assert bench.condition("Stalled", name)["message"] == "nothing needs help"


def _forbid_pods(bench: Workbench) -> None:
    """Nothing is to run: the node has room for others' tests, and not for every example."""
    metadata = {"name": "no-pods"}
    bench.apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": {"pods": "0"}}})


def test_explain_tells_what_each_field_of_the_spec_is(target: Target) -> None:
    told = " ".join(target.kubectl("explain", "kd.spec").split())
    for words in (
        "cpu <Object> The CPU pool; {} is enough.",
        "model <Object> The checkpoint; absent: the operator's default, pinned.",
        "paused <boolean> true: nothing is written but the status. Default: false.",
    ):
        assert words in told
    assert "<no description>" not in told


def test_explain_knows_no_field_that_is_not_there(target: Target) -> None:
    with pytest.raises(StepFailed, match='field "replica" does not exist'):
        target.kubectl("explain", "kd.spec.cpu.replica")


def test_get_shows_the_columns_that_people_look_for(bench: Workbench) -> None:
    bench.apply(resource({"cpu": {"nodeSelector": NOWHERE}}))
    columns = bench.kubectl("get", "kd").splitlines()[0].split()
    assert columns == ["NAME", "READY", "CPU", "GPU", "BATCH", "REASON", "URL", "AGE"]
