"""Builds live objects as the API server and the kubelet report them."""

from typing import Any

from kronos_operator.api import Manifest
from kronos_operator.observed import ObjectKey, Observed, object_key


def live_deployment(pool: str = "cpu", desired: int = 1, ready: int | None = None, **status: Any) -> Manifest:
    """A Deployment of the resource called kronos; all desired pods are ready unless said otherwise."""
    ready = desired if ready is None else ready
    counts = {"replicas": desired, "updatedReplicas": desired, "readyReplicas": ready, "observedGeneration": 1}
    return {
        "kind": "Deployment",
        "metadata": {"name": f"kronos-{pool}", "generation": 1},
        "spec": {
            "replicas": desired,
            "progressDeadlineSeconds": 600,
            "template": {"spec": {"containers": [{"name": "server", "resources": {}}]}},
        },
        "status": {**counts, **status},
    }


def live_service(name: str, pool: str) -> Manifest:
    return {"kind": "Service", "metadata": {"name": name}, "spec": {"selector": {"kronos.dev/pool": pool}}}


def live_slice(service: str, ready: int, pods: tuple[str, ...] = (), written: str | None = None) -> Manifest:
    """An EndpointSlice with so many ready endpoints."""
    names = pods or tuple(f"pod-{number}" for number in range(ready))
    fields = [{"manager": "kube-controller-manager", "time": written}] if written else []
    return {
        "metadata": {"labels": {"kubernetes.io/service-name": service}, "managedFields": fields},
        "endpoints": [{"conditions": {"ready": True}, "targetRef": {"kind": "Pod", "name": name}} for name in names],
    }


def live_pod(pool: str = "cpu", name: str = "pod-0", **status: Any) -> Manifest:
    return {"metadata": {"name": name, "labels": {"kronos.dev/pool": pool}}, "status": status}


def container(name: str = "server", **state: Any) -> dict[str, Any]:
    """A container status: waiting=..., terminated=..., last=..., ready=..., restarts=..."""
    last = state.pop("last", None)
    return {
        "name": name,
        "image": "server:1",
        "ready": state.pop("ready", False),
        "restartCount": state.pop("restarts", 0),
        "state": state,
        "lastState": {"terminated": last} if last else {},
    }


def observed(*objects: Manifest, **parts: Any) -> Observed:
    keyed: dict[ObjectKey, Manifest] = {object_key(each): each for each in objects}
    return Observed(objects=keyed, **parts)
