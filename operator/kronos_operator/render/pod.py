"""The pod template of a pool: where it runs, as whom, and the server container."""

from typing import Any, NamedTuple

from kronos_operator.api import RESTARTED_AT, GpuPool, Manifest, PoolName, Server
from kronos_operator.api.pool import GPU_RESOURCE
from kronos_operator.api.workload import Workload
from kronos_operator.identity import labels, selector
from kronos_operator.render.checkpoint import Checkpoint, checkpoint
from kronos_operator.render.environment import API_KEYS_PATH, environment, grace_seconds, with_wished
from kronos_operator.render.quantities import canonical
from kronos_operator.render.service import PORT_NAME
from kronos_operator.settings import Settings

HTTP_PORT = 8000
USER = 65532
CONTAINER = "server"
# Loading, moving to the device and a warm-up forecast must fit.
STARTUP_SECONDS = 300

SCRATCH_MOUNT = {"name": "tmp", "mountPath": "/tmp"}
RESTRICTED: Manifest = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
FETCH_RESOURCES: Manifest = {
    "requests": {"cpu": "100m", "memory": "256Mi"},
    "limits": {"cpu": "1", "memory": "1Gi"},
}
DEFAULT_RESOURCES: dict[PoolName, Manifest] = {
    "cpu": {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"cpu": "2", "memory": "4Gi"}},
    "gpu": {"requests": {"cpu": "2", "memory": "4Gi"}, "limits": {"cpu": "4", "memory": "8Gi"}},
}


def pod_template(server: Server, pool: PoolName, settings: Settings) -> Manifest:
    """The template of a pool's pods; the same spec and settings give the same bytes."""
    wish = server.pools[pool]
    metadata: Manifest = {"labels": {**(wish.pod_labels or {}), **labels(server, pool), **selector(server, pool)}}
    restarted = {RESTARTED_AT: server.restarted_at} if server.restarted_at else {}
    if annotations := {**(wish.pod_annotations or {}), **restarted}:
        metadata["annotations"] = annotations
    model = checkpoint(server.spec.model or settings.default_model)
    image = wish.image or (settings.cpu_image if pool == "cpu" else settings.gpu_image)
    shared = {"image": image, "imagePullPolicy": settings.image_pull_policy, "securityContext": RESTRICTED}
    keys = _api_keys(server)
    return {
        "metadata": metadata,
        "spec": {
            "serviceAccountName": server.name,
            "automountServiceAccountToken": False,
            # A Service called kronos would inject KRONOS_PORT=tcp://..., which the server would read as its port.
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": grace_seconds(server),
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": USER,
                "runAsGroup": USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            **_placement(server, pool, wish),
            **_fetching(server, pool, model, shared),
            "containers": [
                {
                    "name": CONTAINER,
                    **shared,
                    "ports": [{"name": PORT_NAME, "containerPort": HTTP_PORT, "protocol": "TCP"}],
                    "env": environment(server, pool, model, settings),
                    "resources": _resources(pool, wish),
                    "volumeMounts": [SCRATCH_MOUNT, *model.mounts, *keys.mounts],
                    **_probes(),
                }
            ],
            "volumes": [{"name": "tmp", "emptyDir": {}}, *model.volumes, *keys.volumes],
        },
    }


class _Files(NamedTuple):
    """Files that a container gets, as volumes and where they are mounted."""

    volumes: list[Manifest]
    mounts: list[Manifest]


def _api_keys(server: Server) -> _Files:
    secret = server.spec.server.api_keys_secret_name
    if secret is None:
        return _Files([], [])
    volume = {"name": "api-keys", "secret": {"secretName": secret}}
    return _Files([volume], [{"name": "api-keys", "mountPath": API_KEYS_PATH, "readOnly": True}])


def _fetching(server: Server, pool: PoolName, model: Checkpoint, shared: Manifest) -> Manifest:
    containers = [
        {
            **fetch,
            **shared,
            "env": with_wished(server, pool, fetch["env"]),
            "resources": FETCH_RESOURCES,
            "volumeMounts": [SCRATCH_MOUNT, *fetch["volumeMounts"]],
        }
        for fetch in model.fetches
    ]
    return {"initContainers": containers} if containers else {}


def _probes() -> Manifest:
    ready = {"httpGet": {"path": "/v1/readyz", "port": PORT_NAME}}
    live = {"httpGet": {"path": "/v1/healthz", "port": PORT_NAME}}
    return {
        "startupProbe": {**ready, "periodSeconds": 2, "timeoutSeconds": 2, "failureThreshold": STARTUP_SECONDS // 2},
        "readinessProbe": {**ready, "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 2},
        "livenessProbe": {**live, "periodSeconds": 10, "timeoutSeconds": 10, "failureThreshold": 3},
    }


def _resources(pool: PoolName, wish: Workload) -> Manifest:
    """What the user says replaces the defaults as a whole: half of each may contradict the other."""
    resources = DEFAULT_RESOURCES[pool]
    if wish.resources is not None:
        resources = {
            part: {name: canonical(amount) for name, amount in amounts.items()}
            for part, amounts in wish.resources.manifest().items()
        }
    if not isinstance(wish, GpuPool):
        return resources
    device = {wish.accelerator.resource: str(wish.accelerator.count)}
    return {**resources, "limits": {**resources.get("limits", {}), **device}}


def _placement(server: Server, pool: PoolName, wish: Workload) -> Manifest:
    """Everything that decides on which nodes the pods may run."""
    fields: dict[str, Any] = {
        "nodeSelector": _node_selector(wish),
        "tolerations": _tolerations(wish),
        "affinity": wish.affinity,
        "topologySpreadConstraints": _spreading(server, pool, wish),
        "priorityClassName": wish.priority_class_name,
        "runtimeClassName": wish.runtime_class_name,
        "imagePullSecrets": [secret.manifest() for secret in wish.image_pull_secrets or ()],
    }
    return {name: value for name, value in fields.items() if value}


def _is_nvidia(wish: Workload) -> bool:
    return isinstance(wish, GpuPool) and wish.accelerator.resource.startswith("nvidia.com/")


def _node_selector(wish: Workload) -> dict[str, str]:
    if wish.node_selector is not None:
        return dict(wish.node_selector)
    return {f"{GPU_RESOURCE}.present": "true"} if _is_nvidia(wish) else {}


def _tolerations(wish: Workload) -> list[Manifest]:
    ours = [{"key": GPU_RESOURCE, "operator": "Exists", "effect": "NoSchedule"}] if _is_nvidia(wish) else []
    return [*ours, *(toleration.manifest() for toleration in wish.tolerations or ())]


def _spreading(server: Server, pool: PoolName, wish: Workload) -> list[Manifest]:
    defaults = {
        "labelSelector": {"matchLabels": selector(server, pool)},
        # Old pods of a rollout do not count, else the new ones avoid their nodes.
        "matchLabelKeys": ["pod-template-hash"],
    }
    if wish.topology_spread_constraints is None:
        over_nodes = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}
        return [{**over_nodes, **defaults}]
    return [{**defaults, **constraint.manifest()} for constraint in wish.topology_spread_constraints]
