"""What others do to owned objects: drift is repaired, their own fields stay, their own objects are left alone."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from cluster.progress import say
from cluster.target import Target
from e2e.every_kind import AUTOSCALING, KINDS, every_kind
from e2e.workbench import NAME, SMALL, Workbench, own_namespace, resource, wait_until
from kronos_operator.kinds import CONTROLLER_REVISION, OWNED

pytestmark = pytest.mark.e2e

REPAIR_SECONDS = 2
EVERY_KIND = {kind.name for kind in OWNED}
# An edit of each owned kind, at fields that are ours.
EDITS: dict[str, dict[str, Any]] = {
    "ServiceAccount": {"automountServiceAccountToken": True},
    "Service": {"spec": {"selector": {"kronos.dev/pool": "wrong"}}},
    "PodDisruptionBudget": {"spec": {"maxUnavailable": 2}},
    "ControllerRevision": {"metadata": {"labels": {"kronos.dev/revision": "wrong"}}},  # its data cannot be edited
    "Deployment": {"spec": {"template": {"spec": {"containers": [{"name": "server", "image": "wrong"}]}}}},
    "HorizontalPodAutoscaler": {"spec": {"maxReplicas": 9}},
    "Ingress": {"spec": {"rules": [{"host": "wrong.example.com"}]}},
    "HTTPRoute": {"spec": {"parentRefs": [{"name": "wrong"}]}},
}
UNOWNED = {"metadata": {"ownerReferences": None}}
UNLABELLED = {"metadata": {"labels": {"kronos.dev/deployment": None}}}
NOTE = {"metadata": {"annotations": {"example.com/note": "kept"}, "labels": {"example.com/team": "quant"}}}
SIDECAR = {"name": "sidecar", "image": "localhost/mesh:1"}


@pytest.fixture(scope="module")
def serving(target: Target) -> Iterator[Workbench]:
    """A resource with something of every kind: its CPU pool runs, so that there is a template that has worked."""
    with own_namespace(target) as bench:
        bench.apply(resource(every_kind(replicas=1, resources=SMALL)))
        yield bench


@pytest.fixture
def owned(serving: Workbench) -> dict[str, Any]:
    """Every object that the operator can render now, by kind and name, Deployments last: they need a pod to be ready.

    The revisions of templates that no longer run are known from nowhere else.
    """
    wait_until("the CPU pool", lambda: serving.condition("CPUPoolReady").get("status") == "True", 180)
    running = f"ControllerRevision/{NAME}-cpu-{_running(serving)}"
    wait_until("every kind", lambda: {*map(_kind, serving.items(KINDS))} == EVERY_KIND, 30)
    items = {n: item for n, item in serving.items(KINDS).items() if _kind(n) != _kind(running) or n == running}
    assert running in items
    return dict(sorted(items.items(), key=lambda named: _kind(named[0]) == "Deployment"))


def test_every_hand_edited_object_is_repaired(
    serving: Workbench, owned: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    seconds = {}
    for name, item in owned.items():
        _patch(serving, item, EDITS[item["kind"]])
        seconds[name] = wait_until(f"{name} being repaired", lambda item=item: _is_like(serving, item), REPAIR_SECONDS)
    _show(capsys, "repaired", seconds)


@pytest.mark.parametrize("loss", [UNOWNED, UNLABELLED], ids=["owner reference", "label"])
def test_an_object_that_lost_the_mark_of_its_owner_is_taken_back(
    serving: Workbench, owned: dict[str, Any], loss: dict[str, Any]
) -> None:
    for name, item in owned.items():
        _patch(serving, item, loss)
        wait_until(f"{name} being taken back", lambda item=item: _is_marked(serving, item), REPAIR_SECONDS)


def test_fields_of_others_survive(serving: Workbench, owned: dict[str, Any]) -> None:
    for item in owned.values():
        _patch(serving, item, NOTE)
    before = serving.replicas("cpu")
    serving.patch({"server": {"logLevel": "WARNING"}, "ingress": {"annotations": {"example.com/ours": "1"}}})
    annotations = "jsonpath={.metadata.annotations}"
    wait_until("the edit", lambda: "example.com/ours" in serving.kubectl("get", "ingress", NAME, "-o", annotations), 10)
    for name, item in serving.items(KINDS).items():
        if name in owned:  # the edit adds the revision of another template
            assert item["metadata"]["annotations"]["example.com/note"] == "kept", name
            assert item["metadata"]["labels"]["example.com/team"] == "quant", name
    assert serving.replicas("cpu") == before


def test_a_container_of_others_survives_in_the_template(bench: Workbench) -> None:
    bench.apply(resource(every_kind()))
    name = f"{NAME}-cpu"
    wait_until("the Deployment", lambda: bench.replicas("cpu") == 2, 30)
    template = {"spec": {"template": {"spec": {"containers": [SIDECAR]}}}}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, **template}
    bench.pipe(body, "apply", "--server-side", "--field-manager=mesh", "-f", "-")
    bench.patch({"cpu": {"replicas": 3}})
    wait_until("the edit", lambda: bench.replicas("cpu") == 3, 10)
    containers = bench.items("deployments")[f"Deployment/{name}"]["spec"]["template"]["spec"]["containers"]
    assert [each["name"] for each in containers] == ["server", "sidecar"]


def test_every_hand_deleted_object_is_back(
    serving: Workbench, owned: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    seconds = {}
    for name, item in owned.items():
        serving.kubectl("delete", _named(item), "--wait=true")
        seconds[name] = wait_until(f"{name} being back", lambda item=item: _is_another(serving, item), REPAIR_SECONDS)
    _show(capsys, "back", seconds)


FOREIGN: dict[str, dict[str, Any]] = {
    f"ServiceAccount/{NAME}": {"apiVersion": "v1"},
    f"Service/{NAME}-single": {"apiVersion": "v1", "spec": {"ports": [{"port": 80}]}},
    f"PodDisruptionBudget/{NAME}-gpu": {"apiVersion": "policy/v1", "spec": {"maxUnavailable": 1}},
    f"Deployment/{NAME}-cpu": {
        "apiVersion": "apps/v1",
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": {"app": "theirs"}},
            "template": {"metadata": {"labels": {"app": "theirs"}}, "spec": {"containers": [SIDECAR]}},
        },
    },
    f"HorizontalPodAutoscaler/{NAME}-gpu": {
        "apiVersion": "autoscaling/v2",
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "theirs"},
            **AUTOSCALING,
        },
    },
    f"Ingress/{NAME}": {
        "apiVersion": "networking.k8s.io/v1",
        "spec": {"defaultBackend": {"service": {"name": "theirs", "port": {"number": 80}}}},
    },
    f"HTTPRoute/{NAME}": {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "spec": {"parentRefs": [{"name": "absent"}]},
    },
}


def test_every_kind_is_tried_but_the_one_whose_name_nobody_can_guess() -> None:
    assert {_kind(name) for name in FOREIGN} == EVERY_KIND - {CONTROLLER_REVISION.name}


@pytest.mark.parametrize("name", FOREIGN)
def test_an_object_of_others_with_our_name_is_left_alone(bench: Workbench, name: str) -> None:
    kind, own_name = name.split("/")
    bench.pipe({"kind": kind, "metadata": {"name": own_name}, **FOREIGN[name]}, "create", "-f", "-")
    before = bench.read(name)
    bench.apply(resource(every_kind()))
    wait_until("NameConflict", lambda: bench.condition("Stalled").get("reason") == "NameConflict", 10)
    told = bench.condition("Stalled")["message"]
    assert told == f"{kind} {own_name}: it exists and belongs to somebody else: rename or delete it"
    assert {_kind(each) for each in bench.items(KINDS)} >= EVERY_KIND - {kind, CONTROLLER_REVISION.name}
    bench.kubectl("delete", "kronosdeployment", NAME, "--cascade=foreground", "--timeout=60s")
    assert _declared(bench.read(name)) == _declared(before)
    assert "kronos-operator" not in bench.kubectl("get", name, "-o", "yaml", "--show-managed-fields")


def test_removing_the_other_object_is_the_cure(bench: Workbench) -> None:
    foreign = FOREIGN[f"Service/{NAME}-single"]
    bench.pipe({"kind": "Service", "metadata": {"name": f"{NAME}-single"}, **foreign}, "create", "-f", "-")
    bench.apply(resource(every_kind()))
    wait_until("NameConflict", lambda: bench.condition("Stalled").get("reason") == "NameConflict", 10)
    bench.kubectl("delete", "service", f"{NAME}-single")
    wait_until("the conflict's end", lambda: bench.condition("Stalled").get("status") == "False", 30)
    assert f"Service/{NAME}-single" in bench.items(KINDS)


def _kind(name: str) -> str:
    return name.partition("/")[0]


def _running(bench: Workbench) -> str:
    """The digest of the template that the CPU pool runs."""
    template = bench.items("deployments")[f"Deployment/{NAME}-cpu"]["spec"]["template"]
    digest: str = template["metadata"]["labels"]["kronos.dev/revision"]
    return digest


def _named(item: dict[str, Any]) -> str:
    group = item["apiVersion"].rpartition("/")[0]
    return f"{item['kind']}.{group}/{item['metadata']['name']}".replace("./", "/")


def _patch(bench: Workbench, item: dict[str, Any], change: dict[str, Any]) -> None:
    form = "merge" if item["kind"] == "HTTPRoute" else "strategic"  # only kinds of Kubernetes itself know the latter
    bench.kubectl("patch", _named(item), f"--type={form}", "-p", json.dumps(change))


def _is_like(bench: Workbench, old: dict[str, Any]) -> bool:
    now = bench.read(_named(old))
    return _declared(now) == _declared(old) and now["metadata"]["labels"] == old["metadata"]["labels"]


def _is_marked(bench: Workbench, old: dict[str, Any]) -> bool:
    now = bench.read(_named(old))["metadata"]
    return all(now.get(part) == old["metadata"][part] for part in ("ownerReferences", "labels", "uid"))


def _is_another(bench: Workbench, old: dict[str, Any]) -> bool:
    name = f"{old['kind']}/{old['metadata']['name']}"
    found = bench.items(_named(old).split("/")[0]).get(name)
    return found is not None and found["metadata"]["uid"] != old["metadata"]["uid"]


def _declared(item: dict[str, Any]) -> dict[str, Any]:
    """What people declare: without the server's bookkeeping."""
    return {key: value for key, value in item.items() if key not in {"metadata", "status"}}


def _show(capsys: pytest.CaptureFixture[str], what: str, seconds: dict[str, float]) -> None:
    slowest = max(seconds, key=lambda name: seconds[name])
    with capsys.disabled():
        say(f"\n{len(seconds)} owned objects {what}, the slowest ({slowest}) after {seconds[slowest]:.2f} s")
