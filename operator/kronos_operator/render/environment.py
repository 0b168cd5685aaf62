"""The variables that tell a server who it is and how to behave."""

from kronos_operator.api import Manifest, PoolName, Server
from kronos_operator.api.workload import EnvVar
from kronos_operator.identity import pool_object_name
from kronos_operator.render.checkpoint import Checkpoint
from kronos_operator.render.service import in_cluster_url
from kronos_operator.settings import Settings

# Loading the batch that runs, answering it and closing connections, beyond the drain and the longest request.
GRACE_MARGIN_SECONDS = 10
API_KEYS_PATH = "/etc/kronos/api-keys"


def grace_seconds(server: Server) -> int:
    """How long a pod may take to end."""
    options = server.spec.server
    return options.drain_seconds + options.request_timeout_seconds + GRACE_MARGIN_SECONDS


def environment(server: Server, pool: PoolName, model: Checkpoint, settings: Settings) -> list[Manifest]:
    """All variables of the server container, ours first."""
    options = server.spec.server
    values = {
        "KRONOS_POOL": pool,
        "KRONOS_DEVICE": "cpu" if pool == "cpu" else settings.testing_gpu_device or "cuda:all",
        # Both peers, declared or not: adding a pool must not restart the other.
        "KRONOS_PEER_CPU_URL": in_cluster_url(server, pool_object_name(server, "cpu")),
        "KRONOS_PEER_GPU_URL": in_cluster_url(server, pool_object_name(server, "gpu")),
        "KRONOS_REQUEST_TIMEOUT": str(options.request_timeout_seconds),
        "KRONOS_INFERENCE_TIMEOUT": str(options.request_timeout_seconds),
        "KRONOS_DRAIN_SECONDS": str(options.drain_seconds),
        "KRONOS_GRACE_SECONDS": str(grace_seconds(server)),
        "KRONOS_LOG_LEVEL": options.log_level,
    }
    if options.default_pred_len is not None:
        values["KRONOS_DEFAULT_PRED_LEN"] = str(options.default_pred_len)
    if options.api_keys_secret_name is not None:
        values["KRONOS_API_KEYS_PATH"] = API_KEYS_PATH
    if options.rate_limit_per_minute_per_pod is not None:
        values["KRONOS_RATE_LIMIT_ENABLED"] = "true"
        values["KRONOS_RATE_LIMIT_PER_MINUTE"] = str(options.rate_limit_per_minute_per_pod)
    ours: list[Manifest] = [
        *({"name": name, "value": value} for name, value in values.items()),
        {"name": "KRONOS_POD_NAME", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}},
        {"name": "KRONOS_THREADS", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1"}}},
        *model.variables,
    ]
    return with_wished(server, pool, ours)


def with_wished(server: Server, pool: PoolName, ours: list[Manifest]) -> list[Manifest]:
    """Variables of ours and of the user, each name once; the user's win (KRONOS_* is refused by the schema)."""
    wished = [_wished(variable) for variable in server.pools[pool].env or ()]
    return list({variable["name"]: variable for variable in [*ours, *wished]}.values())


def _wished(variable: EnvVar) -> Manifest:
    manifest = variable.manifest()
    field = manifest.get("valueFrom", {}).get("fieldRef")
    if field is None:
        return manifest
    return {**manifest, "valueFrom": {"fieldRef": {"apiVersion": "v1", **field}}}
