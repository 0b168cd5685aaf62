"""The manifests of a resource."""

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from kronos_operator.api import Manifest, Server
from kronos_operator.kinds import OWNED
from kronos_operator.observed import Observed
from kronos_operator.plan import plan
from kronos_operator.render import render, templates
from kronos_operator.settings import Settings

NOW = datetime(2026, 1, 2, tzinfo=UTC)
MakeServer = Callable[..., Server]
HYBRID: dict[str, Any] = {"cpu": {"replicas": 2}, "gpu": {"replicas": 1}, "ingress": {}}


def manifests(server: Server, settings: Settings) -> dict[tuple[str, str], Manifest]:
    rendered = render(server, plan(server, templates(server, settings), Observed(), NOW))
    return {(each["kind"], each["metadata"]["name"]): each for each in rendered}


def test_a_hybrid_resource_owns_exactly_these_objects(make_server: MakeServer, settings: Settings) -> None:
    assert list(manifests(make_server(HYBRID), settings)) == [
        ("ServiceAccount", "kronos"),
        ("Service", "kronos-cpu"),
        ("Service", "kronos-gpu"),
        ("Service", "kronos-single"),
        ("Service", "kronos-batch"),
        ("PodDisruptionBudget", "kronos-cpu"),
        ("Deployment", "kronos-cpu"),
        ("Deployment", "kronos-gpu"),
        ("Ingress", "kronos"),
    ]


def test_objects_are_applied_in_the_order_of_their_kinds(make_server: MakeServer, settings: Settings) -> None:
    order = [kind.name for kind in OWNED]
    ranks = [order.index(kind) for kind, _ in manifests(make_server(HYBRID), settings)]
    assert ranks == sorted(ranks)


def test_a_single_pool_gets_no_objects_of_the_other(make_server: MakeServer, settings: Settings) -> None:
    names = {name for _, name in manifests(make_server({"gpu": {}}), settings)}
    assert names == {"kronos", "kronos-gpu", "kronos-single", "kronos-batch"}


def test_every_object_is_deleted_with_its_resource(make_server: MakeServer, settings: Settings) -> None:
    for manifest in manifests(make_server(HYBRID), settings).values():
        (owner,) = manifest["metadata"]["ownerReferences"]
        assert (owner["uid"], owner["controller"]) == ("uid-1", True)
        assert "finalizers" not in manifest["metadata"]


def test_rendering_is_repeatable_and_leaves_its_input_alone(make_server: MakeServer, settings: Settings) -> None:
    spec = {**HYBRID, "cpu": {"nodeSelector": {"zone": "a"}, "env": [{"name": "A", "value": "1"}]}}
    given = copy.deepcopy(spec)
    server = make_server(spec)
    assert manifests(server, settings) == manifests(server, settings)
    assert spec == given


def test_adding_a_pool_leaves_the_other_pools_pods_alone(make_server: MakeServer, settings: Settings) -> None:
    key = ("Deployment", "kronos-cpu")
    alone = manifests(make_server({"cpu": {}}), settings)[key]
    assert manifests(make_server({"cpu": {}, "gpu": {}}), settings)[key]["spec"] == alone["spec"]


@pytest.mark.parametrize(("route", "pool"), [("single", "cpu"), ("batch", "gpu")])
def test_a_route_selects_the_pool_of_the_plan(
    make_server: MakeServer, settings: Settings, route: str, pool: str
) -> None:
    service = manifests(make_server(HYBRID), settings)["Service", f"kronos-{route}"]
    assert service["spec"]["selector"] == {"kronos.dev/deployment": "kronos", "kronos.dev/pool": pool}


@pytest.mark.parametrize(("replicas", "budgets"), [(0, 0), (1, 0), (2, 1), (5, 1)])
def test_only_a_pool_that_can_spare_a_pod_has_a_budget(
    make_server: MakeServer, settings: Settings, replicas: int, budgets: int
) -> None:
    rendered = manifests(make_server({"cpu": {"replicas": replicas}}), settings)
    assert [kind for kind, _ in rendered].count("PodDisruptionBudget") == budgets


def paths(manifest: Manifest) -> list[tuple[str, str, str]]:
    (rule,) = manifest["spec"]["rules"]
    return [(each["path"], each["pathType"], each["backend"]["service"]["name"]) for each in rule["http"]["paths"]]


def test_the_ingress_splits_by_path(make_server: MakeServer, settings: Settings) -> None:
    assert paths(manifests(make_server(HYBRID), settings)["Ingress", "kronos"]) == [
        ("/v1/predict/single", "Exact", "kronos-single"),
        ("/v1/predict/batch", "Exact", "kronos-batch"),
        ("/v1/devices/cpu", "Prefix", "kronos-cpu"),
        ("/v1/devices/gpu", "Prefix", "kronos-gpu"),
        ("/", "Prefix", "kronos-single"),
    ]


def test_an_ingress_for_forecasts_hides_the_rest(make_server: MakeServer, settings: Settings) -> None:
    server = make_server({"cpu": {}, "ingress": {"paths": "Forecasts"}})
    assert "/" not in [path for path, _, _ in paths(manifests(server, settings)["Ingress", "kronos"])]


def test_an_ingress_carries_its_class_hosts_certificate_and_annotations(
    make_server: MakeServer, settings: Settings
) -> None:
    wish = {
        "ingressClassName": "contour",
        "hosts": ["a.example", "b.example"],
        "tlsSecretName": "certificate",
        "annotations": {"projectcontour.io/response-timeout": "60s"},
    }
    manifest = manifests(make_server({"cpu": {}, "ingress": wish}), settings)["Ingress", "kronos"]
    assert manifest["metadata"]["annotations"] == wish["annotations"]
    assert manifest["spec"]["ingressClassName"] == "contour"
    assert [rule["host"] for rule in manifest["spec"]["rules"]] == ["a.example", "b.example"]
    assert manifest["spec"]["tls"] == [{"hosts": ["a.example", "b.example"], "secretName": "certificate"}]
