"""The pods of a pool."""

from collections.abc import Callable
from typing import Any

import pytest

from kronos_operator.api import Manifest, PoolName, Server
from kronos_operator.plan import PoolPlan
from kronos_operator.plan.revisions import revision
from kronos_operator.plan.rollout import Rollout
from kronos_operator.render.deployment import deployment
from kronos_operator.render.pod import pod_template
from kronos_operator.settings import Settings

MakeServer = Callable[..., Server]
POOLS: tuple[PoolName, ...] = ("cpu", "gpu")


def pod(server: Server, pool: PoolName, settings: Settings) -> Manifest:
    spec: Manifest = pod_template(server, pool, settings)["spec"]
    return spec


def environment(spec: Manifest) -> dict[str, Any]:
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in spec["containers"][0]["env"]}


@pytest.mark.parametrize("pool", POOLS)
def test_pods_satisfy_pod_security_restricted(make_server: MakeServer, settings: Settings, pool: PoolName) -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted"""
    spec = pod(make_server({pool: {}}), pool, settings)
    assert spec["securityContext"]["runAsNonRoot"]
    assert isinstance(spec["securityContext"]["runAsUser"], int)
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_pods_have_no_token_and_no_service_variables(make_server: MakeServer, settings: Settings) -> None:
    spec = pod(make_server({"cpu": {}}), "cpu", settings)
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False


@pytest.mark.parametrize(("pool", "device"), [("cpu", "cpu"), ("gpu", "cuda:all")])
def test_a_server_knows_its_pool_its_device_and_its_peers(
    make_server: MakeServer, settings: Settings, pool: PoolName, device: str
) -> None:
    values = environment(pod(make_server({pool: {}}), pool, settings))
    assert (values["KRONOS_POOL"], values["KRONOS_DEVICE"]) == (pool, device)
    assert values["KRONOS_PEER_CPU_URL"] == "http://kronos-cpu.demo.svc"
    assert values["KRONOS_PEER_GPU_URL"] == "http://kronos-gpu.demo.svc"


def test_api_keys_are_mounted_and_named(make_server: MakeServer, settings: Settings) -> None:
    spec = pod(make_server({"cpu": {}, "server": {"apiKeysSecretName": "keys"}}), "cpu", settings)
    path = environment(spec)["KRONOS_API_KEYS_PATH"]
    assert {"name": "api-keys", "secret": {"secretName": "keys"}} in spec["volumes"]
    assert {"name": "api-keys", "mountPath": path, "readOnly": True} in spec["containers"][0]["volumeMounts"]


def test_the_ways_to_the_hub_reach_the_fetching_containers(make_server: MakeServer, settings: Settings) -> None:
    proxy = {"name": "HTTPS_PROXY", "value": "http://proxy:3128"}
    spec = pod(make_server({"gpu": {"env": [proxy]}}), "gpu", settings)
    for container in spec["initContainers"]:
        assert proxy in container["env"]
        assert "nvidia.com/gpu" not in container["resources"]["limits"]


def test_the_test_switch_changes_the_device_of_gpu_pools_only(make_server: MakeServer, settings: Settings) -> None:
    switched = settings.model_copy(update={"testing_gpu_device": "cpu"})
    server = make_server({"cpu": {}, "gpu": {}})
    assert environment(pod(server, "gpu", switched))["KRONOS_DEVICE"] == "cpu"
    assert pod(server, "cpu", switched) == pod(server, "cpu", settings)


def test_the_kubelet_waits_for_the_drain_and_the_longest_request(make_server: MakeServer, settings: Settings) -> None:
    server = make_server({"cpu": {}, "server": {"requestTimeoutSeconds": 100, "drainSeconds": 20}})
    spec = pod(server, "cpu", settings)
    assert spec["terminationGracePeriodSeconds"] == 130
    assert environment(spec)["KRONOS_GRACE_SECONDS"] == "130"


def test_server_options_reach_the_server(make_server: MakeServer, settings: Settings) -> None:
    options = {"requestTimeoutSeconds": 7, "defaultPredLen": 24, "rateLimitPerMinutePerPod": 90, "logLevel": "DEBUG"}
    values = environment(pod(make_server({"cpu": {}, "server": options}), "cpu", settings))
    assert values["KRONOS_REQUEST_TIMEOUT"] == "7"
    assert values["KRONOS_DEFAULT_PRED_LEN"] == "24"
    assert (values["KRONOS_RATE_LIMIT_ENABLED"], values["KRONOS_RATE_LIMIT_PER_MINUTE"]) == ("true", "90")
    assert values["KRONOS_LOG_LEVEL"] == "DEBUG"


def test_a_gpu_pod_asks_for_its_device_and_finds_its_node(make_server: MakeServer, settings: Settings) -> None:
    spec = pod(make_server({"gpu": {"accelerator": {"count": 2}}}), "gpu", settings)
    assert spec["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "2"
    assert spec["nodeSelector"] == {"nvidia.com/gpu.present": "true"}
    assert spec["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]


def test_another_vendors_device_gets_no_nvidia_placement(make_server: MakeServer, settings: Settings) -> None:
    spec = pod(make_server({"gpu": {"accelerator": {"resource": "amd.com/gpu"}}}), "gpu", settings)
    assert spec["containers"][0]["resources"]["limits"]["amd.com/gpu"] == "1"
    assert not {"nodeSelector", "tolerations"} & set(spec)


def test_an_empty_node_selector_switches_the_default_off(make_server: MakeServer, settings: Settings) -> None:
    assert "nodeSelector" not in pod(make_server({"gpu": {"nodeSelector": {}}}), "gpu", settings)


def test_given_resources_replace_the_defaults_and_keep_the_device(make_server: MakeServer, settings: Settings) -> None:
    server = make_server({"gpu": {"resources": {"limits": {"memory": "16Gi"}}}})
    resources = pod(server, "gpu", settings)["containers"][0]["resources"]
    assert resources == {"limits": {"memory": "16Gi", "nvidia.com/gpu": "1"}}


def test_what_a_pool_passes_on_reaches_its_pods(make_server: MakeServer, settings: Settings) -> None:
    affinity = {"nodeAffinity": {"anything": ["goes"]}}
    wish = {
        "image": "my/server:1",
        "imagePullSecrets": [{"name": "registry"}],
        "priorityClassName": "high",
        "runtimeClassName": "gvisor",
        "affinity": affinity,
        "tolerations": [{"key": "spot", "operator": "Exists"}],
        "topologySpreadConstraints": [
            {"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "minDomains": 2}
        ],
        "podLabels": {"team": "quant"},
        "podAnnotations": {"note": "x"},
    }
    template = pod_template(make_server({"cpu": wish}), "cpu", settings)
    spec = template["spec"]
    assert spec["containers"][0]["image"] == "my/server:1"
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    assert (spec["priorityClassName"], spec["runtimeClassName"]) == ("high", "gvisor")
    assert spec["affinity"] == affinity
    assert spec["tolerations"] == [{"key": "spot", "operator": "Exists"}]
    assert spec["topologySpreadConstraints"][0]["minDomains"] == 2
    assert spec["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"]["kronos.dev/pool"] == "cpu"
    assert template["metadata"]["labels"]["team"] == "quant"
    assert template["metadata"]["annotations"] == {"note": "x"}


def test_user_labels_never_reach_a_selector(make_server: MakeServer, settings: Settings) -> None:
    server = make_server({"cpu": {"podLabels": {"team": "quant"}}})
    selector = rendered(server, "cpu", settings)["spec"]["selector"]
    assert selector == {"matchLabels": {"kronos.dev/deployment": "kronos", "kronos.dev/pool": "cpu"}}


def test_a_users_variable_replaces_ours_of_the_same_name(make_server: MakeServer, settings: Settings) -> None:
    """Twice the same name would be refused by server-side apply."""
    variables = [
        {"name": "HF_HOME", "value": "/cache"},
        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
    ]
    spec = pod(make_server({"cpu": {"env": variables}}), "cpu", settings)
    for container in [*spec["initContainers"], *spec["containers"]]:
        names = [each["name"] for each in container["env"]]
        assert len(names) == len(set(names))
        assert {"name": "HF_HOME", "value": "/cache"} in container["env"]
    assert environment(spec)["NODE"] == {"fieldRef": {"apiVersion": "v1", "fieldPath": "spec.nodeName"}}


def rendered(server: Server, pool: PoolName, settings: Settings, **plan: Any) -> Manifest:
    run = Rollout(revision(pod_template(server, pool, settings)))
    return deployment(
        server,
        pool,
        PoolPlan(**{"rollout": run, "replicas": 1, "wanted": 1, "spare": False, "replaces": False, **plan}),
    )


@pytest.mark.parametrize(
    ("replaces", "wanted", "expected"),
    [
        (False, 1, {"maxSurge": 1, "maxUnavailable": 0}),
        (False, 5, {"maxSurge": 1, "maxUnavailable": 0}),
        (True, 2, {"maxSurge": 0, "maxUnavailable": 1}),
        (True, 1, None),
        (True, 0, None),
    ],
)
def test_a_replacing_pool_never_needs_a_spare_device(
    make_server: MakeServer, settings: Settings, replaces: bool, wanted: int, expected: dict[str, int] | None
) -> None:
    manifest = rendered(make_server({"gpu": {}}), "gpu", settings, replaces=replaces, wanted=wanted)
    strategy = manifest["spec"]["strategy"]
    assert strategy.get("rollingUpdate") == expected
    assert strategy["type"] == ("RollingUpdate" if expected else "Recreate")


def test_replicas_of_somebody_else_are_left_out(make_server: MakeServer, settings: Settings) -> None:
    assert "replicas" not in rendered(make_server({"cpu": {}}), "cpu", settings, replicas=None)["spec"]


def test_a_restart_is_asked_for_by_an_annotation(make_server: MakeServer, settings: Settings) -> None:
    again = make_server({"cpu": {}}, annotations={"kronos.dev/restartedAt": "2026-01-02T03:04:05Z"})
    template = pod_template(again, "cpu", settings)
    assert template["metadata"]["annotations"] == {"kronos.dev/restartedAt": "2026-01-02T03:04:05Z"}
