"""Comparing a manifest with a live object along its managed fields."""

import copy
from typing import Any

import pytest

from kronos_operator.drift import drifted

WANTED: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {
        "name": "kronos-cpu",
        "namespace": "demo",
        "labels": {"app": "kronos"},
        "ownerReferences": [{"uid": "uid-1", "kind": "KronosDeployment", "name": "kronos"}],
    },
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "kronos"}},
        "template": {
            "spec": {
                "containers": [
                    {
                        "name": "server",
                        "image": "server:1",
                        "env": [{"name": "A", "value": "1"}, {"name": "EMPTY", "value": ""}],
                        "securityContext": {"capabilities": {"drop": ["ALL"]}},
                    }
                ],
                "volumes": [{"name": "tmp", "emptyDir": {}}],
            }
        },
    },
}
CONTAINER_FIELDS = {
    ".": {},
    "f:name": {},
    "f:image": {},
    "f:env": {
        'k:{"name":"A"}': {".": {}, "f:name": {}, "f:value": {}},
        'k:{"name":"EMPTY"}': {".": {}, "f:name": {}, "f:value": {}},
    },
    "f:securityContext": {"f:capabilities": {"f:drop": {}}},
}
FIELDS = {
    "f:metadata": {
        "f:labels": {"f:app": {}},
        "f:ownerReferences": {'k:{"uid":"uid-1"}': {".": {}, "f:uid": {}, "f:kind": {}, "f:name": {}}},
    },
    "f:spec": {
        "f:replicas": {},
        "f:selector": {},
        "f:template": {
            "f:spec": {
                "f:containers": {'k:{"name":"server"}': CONTAINER_FIELDS},
                "f:volumes": {'k:{"name":"tmp"}': {".": {}, "f:name": {}, "f:emptyDir": {}}},
            }
        },
    },
}


def live() -> dict[str, Any]:
    """WANTED as the API server stores it: with defaults, without empty values, with fields of others."""
    stored = copy.deepcopy(WANTED)
    stored["metadata"]["labels"]["team"] = "a label of somebody else"
    stored["metadata"]["uid"] = "uid-7"
    stored["metadata"]["managedFields"] = [
        {"manager": "kube-controller-manager", "operation": "Update", "fieldsV1": {"f:status": {}}},
        {"manager": "kronos-operator", "operation": "Apply", "fieldsV1": copy.deepcopy(FIELDS)},
    ]
    pod = stored["spec"]["template"]["spec"]
    pod["dnsPolicy"] = "ClusterFirst"
    pod["containers"][0]["env"][1].pop("value")
    pod["containers"][0]["env"].append({"name": "INJECTED", "value": "by a webhook"})
    pod["containers"].append({"name": "sidecar", "image": "mesh:1"})
    stored["spec"]["progressDeadlineSeconds"] = 600
    return stored


def container(manifest: dict[str, Any]) -> dict[str, Any]:
    first: dict[str, Any] = manifest["spec"]["template"]["spec"]["containers"][0]
    return first


def test_defaults_and_fields_of_others_are_no_drift() -> None:
    assert not drifted(WANTED, live())


def test_an_object_we_never_applied_has_drifted() -> None:
    stored = live()
    stored["metadata"]["managedFields"] = stored["metadata"]["managedFields"][:1]
    assert drifted(WANTED, stored)


def test_our_status_entry_is_not_our_spec_entry() -> None:
    stored = live()
    stored["metadata"]["managedFields"][1]["subresource"] = "status"
    assert drifted(WANTED, stored)


@pytest.mark.parametrize("case", ["value", "item removed", "atomic list", "atomic map", "owner", "label"])
def test_an_edit_of_an_owned_field_is_drift(case: str) -> None:
    stored = live()
    match case:
        case "value":
            stored["spec"]["replicas"] = 5
        case "item removed":
            del container(stored)["env"][0]
        case "atomic list":
            container(stored)["securityContext"]["capabilities"]["drop"].append("NET_RAW")
        case "atomic map":
            stored["spec"]["selector"]["matchLabels"]["extra"] = "selects less"
        case "owner":
            stored["metadata"]["ownerReferences"] = []
        case "label":
            del stored["metadata"]["labels"]["app"]
    assert drifted(WANTED, stored)


@pytest.mark.parametrize("case", ["value", "new field", "field left out", "new item", "item left out"])
def test_a_changed_wish_is_drift(case: str) -> None:
    wanted = copy.deepcopy(WANTED)
    match case:
        case "value":
            container(wanted)["image"] = "server:2"
        case "new field":
            wanted["spec"]["paused"] = True
        case "field left out":
            del wanted["spec"]["replicas"]
        case "new item":
            container(wanted)["env"].append({"name": "B", "value": "2"})
        case "item left out":
            del container(wanted)["env"][0]
    assert drifted(wanted, live())


def test_members_of_a_set_are_compared() -> None:
    wanted = {"kind": "X", "metadata": {"name": "x", "finalizers": ["a", "b"]}}
    fields = {"f:metadata": {"f:finalizers": {'v:"a"': {}, 'v:"b"': {}}}}
    entry = {"manager": "kronos-operator", "operation": "Apply", "fieldsV1": fields}
    stored = {"kind": "X", "metadata": {"name": "x", "finalizers": ["c", "b", "a"], "managedFields": [entry]}}
    assert not drifted(wanted, stored)
    stored["metadata"]["finalizers"] = ["a"]  # type: ignore[index]
    assert drifted(wanted, stored)
