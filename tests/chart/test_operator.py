"""The operator's Deployment follows the values."""

from typing import Any

import pytest

from chart.helm import Helm
from kronos_operator.api.model import ClaimSource, ModelSource
from kronos_operator.settings import KRONOS_SMALL, Settings

DIGEST = "sha256:" + "0" * 64


def test_the_operator_runs_under_a_name_that_no_owned_object_has(helm: Helm) -> None:
    release = helm.render()
    assert release.one("Deployment", "kronos-operator")
    assert release.one("ServiceAccount", "kronos-operator")
    assert release.one("KronosDeployment", "kronos")


@pytest.mark.parametrize(
    ("release", "values", "name"),
    [
        ("market", {}, "market-kronos-operator"),
        ("market", {"nameOverride": "model"}, "market-model-operator"),
        ("market", {"fullnameOverride": "desk"}, "desk-operator"),
        ("m" * 53, {"kronosDeployment": {"create": False}}, "m" * 40 + "-operator"),
    ],
)
def test_names_come_from_the_release_and_the_overrides(
    helm: Helm, release: str, values: dict[str, Any], name: str
) -> None:
    rendered = helm.render(release, **values)
    assert rendered.one("Deployment", name)
    assert rendered.operator_pod["spec"]["serviceAccountName"] == name


def test_the_selector_holds_identity_only(helm: Helm) -> None:
    (operator,) = helm.render(commonLabels={"team": "quant"}).all("Deployment")
    selector = operator["spec"]["selector"]["matchLabels"]
    assert selector == {
        "app.kubernetes.io/name": "kronos",
        "app.kubernetes.io/instance": "kronos",
        "app.kubernetes.io/component": "operator",
    }
    assert selector.items() <= operator["spec"]["template"]["metadata"]["labels"].items()


def test_an_update_starts_the_successor_before_the_leader_ends(helm: Helm) -> None:
    strategy = helm.render().one("Deployment", "kronos-operator")["spec"]["strategy"]
    assert strategy == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}


@pytest.mark.parametrize(("release", "name"), [("kronos", "kronos-operator"), ("market", "market-kronos-operator")])
def test_each_release_elects_its_own_leader(helm: Helm, release: str, name: str) -> None:
    rendered = helm.render(release)
    assert rendered.operator_settings["KRONOS_OPERATOR_LEASE_NAME"] == name
    assert rendered.one("Lease", name)
    (own,) = [item for item in rendered.operator_container["env"] if item["name"] == "KRONOS_OPERATOR_NAMESPACE"]
    assert own["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.namespace"}}


def test_several_operators_survive_the_drain_of_a_node(helm: Helm) -> None:
    release = helm.render(operator={"replicas": 2})
    budget = release.one("PodDisruptionBudget", "kronos-operator")["spec"]
    (spread,) = release.operator_pod["spec"]["topologySpreadConstraints"]
    assert budget["maxUnavailable"] == 1
    for selector in (budget["selector"], spread["labelSelector"]):
        assert selector == release.one("Deployment", "kronos-operator")["spec"]["selector"]
    assert spread["topologyKey"] == "kubernetes.io/hostname"


def test_a_single_operator_blocks_no_drain(helm: Helm) -> None:
    assert not helm.render(operator={"replicas": 1}).all("PodDisruptionBudget")


def test_common_labels_reach_every_object(helm: Helm) -> None:
    for manifest in helm.render(commonLabels={"team": "quant"}):
        assert manifest["metadata"]["labels"]["team"] == "quant", manifest["metadata"]["name"]


def test_every_object_names_its_chart_and_release(helm: Helm) -> None:
    for manifest in helm.render():
        labels = manifest["metadata"]["labels"]
        assert labels["helm.sh/chart"] == "kronos-0.1.0"
        assert labels["app.kubernetes.io/instance"] == "kronos"
        assert labels["app.kubernetes.io/managed-by"] == "Helm"


def test_probes_ask_the_port_that_the_operator_is_told(helm: Helm) -> None:
    release = helm.render()
    container = release.operator_container
    assert container["ports"] == [{"name": "probes", "containerPort": 8080}]
    assert release.operator_settings["KRONOS_OPERATOR_PROBE_PORT"] == "8080"
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "probes"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "probes"}


def test_default_settings_of_the_operator(helm: Helm) -> None:
    assert helm.render().operator_settings == {
        "KRONOS_OPERATOR_CPU_IMAGE": "kronos-server:0.1.0",
        "KRONOS_OPERATOR_GPU_IMAGE": "kronos-server-gpu:0.1.0",
        "KRONOS_OPERATOR_IMAGE_PULL_POLICY": "IfNotPresent",
        "KRONOS_OPERATOR_WATCH_NAMESPACES": "",
        "KRONOS_OPERATOR_LOG_LEVEL": "INFO",
        "KRONOS_OPERATOR_RESYNC_SECONDS": "300",
        "KRONOS_OPERATOR_LEASE_NAME": "kronos-operator",
        "KRONOS_OPERATOR_PROBE_PORT": "8080",
    }


@pytest.mark.parametrize(
    ("values", "setting", "value"),
    [
        ({"operator": {"logLevel": "DEBUG"}}, "LOG_LEVEL", "DEBUG"),
        ({"operator": {"resyncSeconds": 60}}, "RESYNC_SECONDS", "60"),
        ({"server": {"pullPolicy": "Always"}}, "IMAGE_PULL_POLICY", "Always"),
        ({"server": {"images": {"cpu": {"tag": "2"}}}}, "CPU_IMAGE", "kronos-server:2"),
        ({"server": {"images": {"gpu": {"tag": "2", "digest": DIGEST}}}}, "GPU_IMAGE", f"kronos-server-gpu@{DIGEST}"),
        ({"imageRegistry": "r.example/team/"}, "CPU_IMAGE", "r.example/team/kronos-server:0.1.0"),
        ({"watchNamespaces": ["forecasts", "desk"]}, "WATCH_NAMESPACES", "forecasts,desk"),
        ({"testing": {"gpuDevice": "cpu"}}, "TESTING_GPU_DEVICE", "cpu"),
    ],
)
def test_a_value_becomes_a_setting(helm: Helm, values: dict[str, Any], setting: str, value: str) -> None:
    assert helm.render(**values).operator_settings[f"KRONOS_OPERATOR_{setting}"] == value


def read_by_the_operator(given: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings that the operator makes of these variables, each of which must be one of its own."""
    assert {name.removeprefix("KRONOS_OPERATOR_").lower() for name in given} <= Settings.model_fields.keys()
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return Settings()


def test_the_operator_reads_the_default_settings(helm: Helm, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read_by_the_operator(helm.render().operator_settings, monkeypatch)
    assert settings.watch_namespaces == ()
    assert settings.default_model == KRONOS_SMALL


def test_the_operator_reads_every_setting_that_values_change(helm: Helm, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = {"claimName": "weights", "path": "small", "tokenizerPath": "tokenizer"}
    release = helm.render(
        watchNamespaces=["forecasts", "desk"],
        testing={"gpuDevice": "cpu"},
        defaultModel={"name": "kronos-small", "source": {"persistentVolumeClaim": claim}},
    )
    settings = read_by_the_operator(release.operator_settings, monkeypatch)
    assert settings.watch_namespaces == ("forecasts", "desk")
    assert settings.testing_gpu_device == "cpu"
    assert settings.default_model.source == ModelSource(persistent_volume_claim=ClaimSource(**claim))


def test_the_operators_image_can_come_from_anywhere(helm: Helm) -> None:
    image = {"repository": "op", "digest": DIGEST, "pullPolicy": "Never"}
    container = helm.render(imageRegistry="r.example", operator={"image": image}).operator_container
    assert container["image"] == f"r.example/op@{DIGEST}"
    assert container["imagePullPolicy"] == "Never"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("nodeSelector", {"pool": "system"}),
        ("tolerations", [{"key": "system", "operator": "Exists", "effect": "NoSchedule"}]),
        ("affinity", {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": []}}),
        ("priorityClassName", "system-cluster-critical"),
    ],
)
def test_scheduling_reaches_the_pod_and_is_absent_by_default(helm: Helm, key: str, value: Any) -> None:
    assert helm.render(operator={key: value}).operator_pod["spec"][key] == value
    assert key not in helm.render().operator_pod["spec"]


def test_pull_secrets_resources_labels_and_annotations_reach_the_pod(helm: Helm) -> None:
    resources = {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "2Gi"}}
    release = helm.render(
        imagePullSecrets=[{"name": "registry"}],
        operator={
            "replicas": 0,
            "resources": resources,
            "podLabels": {"tier": "control"},
            "podAnnotations": {"note": "yes"},
        },
    )
    assert release.one("Deployment", "kronos-operator")["spec"]["replicas"] == 0
    assert release.operator_pod["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    assert release.operator_container["resources"] == resources
    assert release.operator_pod["metadata"]["labels"]["tier"] == "control"
    assert release.operator_pod["metadata"]["annotations"]["note"] == "yes"
