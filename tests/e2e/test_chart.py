"""The chart's life in a cluster: installed, upgraded over a changed definition, and removed, by Helm 4 and Helm 3."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cluster.binaries import program
from cluster.progress import StepFailed
from cluster.release import CHART, RELEASE
from cluster.target import Target
from e2e.releases import CRD, NAME, NEW_FIELD, Release, everything, fields_at, previous_crd
from e2e.workbench import own_namespace, wait_until
from kronos_operator.crd import REVISION_ANNOTATION, SCHEMA_REVISION

pytestmark = pytest.mark.e2e

OPERATOR = f"deployment/{RELEASE}-operator"


class Installed(NamedTuple):
    release: Release
    before: set[str]  # what was there before it
    operators: int  # ready when helm returned
    ready: dict[str, Any]  # the Ready condition when helm returned


@pytest.fixture(scope="module")
def alone(target: Target) -> Iterator[Target]:
    """The release under test without its operator, which would look after ours as well; and the previous definition."""
    replicas = target.read(OPERATOR)["spec"]["replicas"]
    target.kubectl("scale", OPERATOR, "--replicas=0")
    operators = ["pods", "-l", "app.kubernetes.io/component=operator"]
    wait_until("the operator's end", lambda: target.read(*operators)["items"] == [], 60)
    try:
        yield target
    finally:
        apply_definition(target, CHART / "crds" / "kronosdeployments.yaml")
        target.kubectl("scale", OPERATOR, f"--replicas={replicas}")
        target.kubectl("rollout", "status", OPERATOR, "--timeout=60s")


@pytest.fixture(scope="module", params=["helm", "helm3"])
def installed(
    alone: Target, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installed]:
    """The previous version of the chart."""
    folder = tmp_path_factory.mktemp("release")
    old = folder / "crd.json"
    old.write_text(json.dumps(previous_crd()))
    apply_definition(alone, old)
    with own_namespace(alone) as bench:
        release = Release(program(request.param), bench, folder)
        before = everything(alone, bench.namespace)
        chart = release.previous_chart()
        release.helm("install", NAME, chart, "--values", release.values(), "--wait", "--timeout", "180s")
        operators = bench.read("deployment", f"{NAME}-kronos-operator")["status"]["readyReplicas"]
        yield Installed(release, before, operators, bench.condition("Ready", NAME))


class Upgraded(NamedTuple):
    release: Release
    pods_before: dict[str, int]
    generation_before: int


@pytest.fixture(scope="module")
def upgraded(installed: Installed) -> Upgraded:
    """This version over the previous one, after the pool was scaled with kubectl edit."""
    release = installed.release
    wait = [f"kronosdeployment/{NAME}", "--for=condition=Ready", "--timeout=180s"]
    release.bench.kubectl("wait", *wait)
    edit = ["patch", "kronosdeployment", NAME, "--field-manager=kubectl-edit", "--type=merge"]
    release.bench.kubectl(*edit, "--patch", json.dumps({"spec": {"cpu": {"replicas": 2}}}))
    wait_until("two pods", lambda: release.bench.ready(NAME) and len(release.pods()) == 2, 120)
    pods, deployment = release.pods(), release.bench.read("deployment", f"{NAME}-cpu")
    release.helm("upgrade", NAME, CHART, "--values", release.values(), "--wait", "--timeout", "180s")
    release.bench.kubectl("wait", *wait)
    return Upgraded(release, pods, deployment["metadata"]["generation"])


def apply_definition(target: Target, path: Path) -> None:
    """As Helm installs it."""
    target.kubectl("apply", "--server-side", "--field-manager=helm", "--force-conflicts", "-f", path)


def test_helm_waits_for_the_operators_and_helm_4_for_the_pools_too(installed: Installed) -> None:
    assert installed.operators == 2
    # Helm 3 knows no conditions of custom resources.
    assert installed.release.helm_program.name == "helm3" or installed.ready["status"] == "True"


def test_two_operators_run_and_one_of_them_leads(installed: Installed) -> None:
    bench = installed.release.bench
    pods = bench.read("pods", "-l", "app.kubernetes.io/component=operator")["items"]
    holder = bench.read("lease", f"{NAME}-kronos-operator")["spec"]["holderIdentity"]
    assert len(pods) == 2
    assert [pod["metadata"]["name"] for pod in pods if holder.startswith(pod["metadata"]["name"])] != []


def test_scaling_by_hand_survives_an_upgrade(upgraded: Upgraded) -> None:
    assert upgraded.release.bench.read("kronosdeployment", NAME)["spec"]["cpu"]["replicas"] == 2


def test_an_upgrade_restarts_no_pod_whose_rendering_is_the_same(upgraded: Upgraded) -> None:
    assert upgraded.release.pods() == upgraded.pods_before
    deployment = upgraded.release.bench.read("deployment", f"{NAME}-cpu")
    assert deployment["metadata"]["generation"] == upgraded.generation_before


def test_an_upgrade_brings_the_definition_up_to_date_and_leaves_no_hook_behind(upgraded: Upgraded) -> None:
    crd = upgraded.release.target.read("crd", CRD, "--show-managed-fields")
    *path, field = NEW_FIELD
    assert field in fields_at(crd, path)
    assert crd["metadata"]["annotations"][REVISION_ANNOTATION] == str(SCHEMA_REVISION)
    appliers = {each["manager"] for each in crd["metadata"]["managedFields"] if each["operation"] == "Apply"}
    assert appliers == {"helm"}
    assert not [
        name for name in everything(upgraded.release.target, upgraded.release.bench.namespace) if "hook" in name
    ]


def test_helm_test_makes_a_forecast(upgraded: Upgraded) -> None:
    assert "Succeeded" in upgraded.release.helm("test", NAME)


def test_a_newer_definition_stops_an_upgrade_before_anything_changes(upgraded: Upgraded) -> None:
    release = upgraded.release
    before = release.bench.read("deployment", f"{NAME}-kronos-operator")["metadata"]["generation"]
    release.target.kubectl("annotate", "crd", CRD, "--overwrite", f"{REVISION_ANNOTATION}={SCHEMA_REVISION + 1}")
    with pytest.raises(StepFailed, match="pre-upgrade"):
        release.helm("upgrade", NAME, CHART, "--values", release.values(), "--set", "operator.logLevel=DEBUG")
    assert "is newer" in release.bench.kubectl("logs", f"job/{NAME}-kronos-crd-upgrade")
    assert release.bench.read("deployment", f"{NAME}-kronos-operator")["metadata"]["generation"] == before
    apply_definition(release.target, CHART / "crds" / "kronosdeployments.yaml")
    release.helm("upgrade", NAME, CHART, "--values", release.values(), "--wait", "--timeout", "180s")


def test_uninstalling_leaves_the_definition_and_nothing_else(installed: Installed) -> None:
    release = installed.release
    release.helm("uninstall", NAME, "--wait")
    left = f"what {NAME} was made of being gone"
    wait_until(left, lambda: everything(release.target, release.bench.namespace) <= installed.before, 90)
    assert f"customresourcedefinition.apiextensions.k8s.io/{CRD}" in installed.before
