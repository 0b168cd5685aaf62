"""The KronosDeployment that comes with the release."""

from typing import Any

import pytest

from chart.helm import Helm


def test_by_default_a_cpu_pool_behind_an_ingress_is_declared(helm: Helm) -> None:
    wish = helm.render().one("KronosDeployment", "kronos")
    assert wish["apiVersion"] == "kronos.dev/v1alpha1"
    assert wish["metadata"]["namespace"] == "forecasts"
    assert wish["spec"] == {"cpu": {}, "ingress": {}}


def test_it_can_be_left_out(helm: Helm) -> None:
    assert not helm.render(kronosDeployment={"create": False}).all("KronosDeployment")


def test_it_can_have_a_name_of_its_own(helm: Helm) -> None:
    assert helm.render(kronosDeployment={"name": "desk"}).one("KronosDeployment", "desk")


@pytest.mark.parametrize(
    ("spec", "declared"),
    [
        ({"gpu": {"replicas": 2}}, {"cpu": {}, "gpu": {"replicas": 2}, "ingress": {}}),
        ({"cpu": None, "gpu": {}}, {"gpu": {}, "ingress": {}}),
        ({"ingress": None}, {"cpu": {}}),
        ({"cpu": {"nodeSelector": {}}}, {"cpu": {"nodeSelector": {}}, "ingress": {}}),
    ],
)
def test_its_spec_is_merged_with_the_default_and_null_removes(
    helm: Helm, spec: dict[str, Any], declared: dict[str, Any]
) -> None:
    assert helm.render(kronosDeployment={"spec": spec}).one("KronosDeployment", "kronos")["spec"] == declared


@pytest.mark.parametrize("release", ["2kronos", "kronos.eu", "k" * 46])
def test_a_release_name_that_cannot_name_one_is_refused_with_the_cure(helm: Helm, release: str) -> None:
    assert "set kronosDeployment.name" in helm.refuse(release)
    assert helm.render(release, kronosDeployment={"name": "desk"}).one("KronosDeployment", "desk")


def test_one_that_nobody_would_serve_is_refused(helm: Helm) -> None:
    assert 'add "forecasts"' in helm.refuse(watchNamespaces=["desk"])
    assert helm.render(watchNamespaces=["desk"], kronosDeployment={"create": False})
