"""The schema refuses what nobody reads, and says where it stands."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from chart.helm import CHART, Helm

VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
# Maps whose keys are the user's or Kubernetes', not ours.
FREE = {
    "commonLabels",
    "operator.resources.requests",
    "operator.resources.limits",
    "operator.nodeSelector",
    "operator.podLabels",
    "operator.podAnnotations",
    "operator.serviceAccount.annotations",
}


def maps(values: dict[str, Any], path: str = "") -> Iterator[str]:
    """Dotted paths of all maps in the values, the whole included."""
    yield path
    for key, value in values.items():
        if isinstance(value, dict):
            yield from maps(value, f"{path}.{key}".lstrip("."))


def nested(path: str, value: Any) -> dict[str, Any]:
    for key in reversed(path.split(".")):
        value = {key: value}
    return dict(value)


@pytest.mark.parametrize("path", [path for path in maps(VALUES) if path not in FREE])
def test_a_typo_is_refused_by_its_name(helm: Helm, path: str) -> None:
    message = helm.refuse(**nested(f"{path}.replcias".lstrip("."), 1))
    assert "replcias" in message
    assert path.replace(".", "/") in message


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("operator.logLevel", "info"),
        ("operator.replicas", "2"),
        ("operator.replicas", 4),
        ("operator.resyncSeconds", 0),
        ("operator.image.digest", "sha256:12"),
        ("operator.image.repository", ""),
        ("operator.image.pullPolicy", "Sometimes"),
        ("operator.resources", {"limit": {"cpu": 1}}),
        ("operator.tolerations", [{"keys": "gpu"}]),
        ("operator.affinity", {"podAfinity": {}}),
        ("server.images.cpu.tag", "a b"),
        ("imagePullSecrets", ["registry"]),
        ("watchNamespaces", ["Forecasts"]),
        ("defaultModel", {"nmae": "x"}),
        ("defaultModel", {"name": "x", "source": {"imgae": {}}}),
        ("kronosDeployment.name", "Kronos"),
        ("kronosDeployment.create", "yes"),
        ("kronosDeployment.spec", {"cpus": {}}),
        ("kronosDeployment.spec.paused", "no"),
        ("kronosDeployment.spec.cpu.replicas", "two"),
        ("kronosDeployment.spec.gpu.accelerator", {"cuont": 1}),
        ("kronosDeployment.spec.model.source", {"persistentVolumeClaim": {"claim": "weights"}}),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_field(helm: Helm, path: str, value: Any) -> None:
    assert path.replace(".", "/") in helm.refuse(**nested(path, value))


def test_helm_lint_finds_nothing(helm: Helm) -> None:
    done = helm.run("lint", "--strict", str(CHART))
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_older_kubernetes_is_refused(helm: Helm) -> None:
    done = helm.template("kronos", {}, "--kube-version", "1.30.0")
    assert done.returncode != 0
    assert "1.31" in done.stderr
