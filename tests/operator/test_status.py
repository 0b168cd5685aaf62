"""Conditions and counts."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kronos_operator.api import Condition, Server, Status
from kronos_operator.observed import ObjectKey, Observed, Problem
from kronos_operator.plan import plan
from kronos_operator.render import templates
from kronos_operator.settings import Settings
from kronos_operator.status import status
from tests.operator.facts import container, live_deployment, live_pod, live_service, live_slice, observed

MakeServer = Callable[..., Server]
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BOTH = {"cpu": {"replicas": 1}, "gpu": {"replicas": 1}}


def look(server: Server, seen: Observed, now: datetime = NOW) -> Status:
    return status(server, seen, plan(server, templates(server, Settings()), seen, now), Settings(), now)


def condition(found: Status, type_: str) -> Condition:
    each = found.condition(type_)
    assert each, f"{type_} is missing"
    return each


def everything(**gpu: Any) -> Observed:
    """Both pools and both routes are there and ready, except for what is said about the GPU pool."""
    return observed(
        live_deployment("cpu"),
        live_deployment("gpu", **gpu),
        live_service("kronos-single", "cpu"),
        live_service("kronos-batch", "gpu"),
        slices=(
            live_slice("kronos-cpu", 1),
            live_slice("kronos-gpu", gpu.get("ready", 1)),
            live_slice("kronos-single", 1),
            live_slice("kronos-batch", gpu.get("ready", 1)),
        ),
    )


def test_everything_as_declared_is_ready(make_server: MakeServer) -> None:
    found = look(make_server(BOTH), everything())
    truths = {each.type: each.status for each in found.conditions}
    assert truths == {
        "Ready": "True",
        "Available": "True",
        "Reconciling": "False",
        "Stalled": "False",
        "CPUPoolReady": "True",
        "GPUPoolReady": "True",
        "RouteReady": "True",
        "FailedOver": "False",
    }
    assert {each.summary for each in found.pools} == {"1/1"}


def test_a_pool_that_is_not_ready_says_why_on_top(make_server: MakeServer) -> None:
    found = look(make_server(BOTH), everything(desired=3, ready=1))
    assert condition(found, "GPUPoolReady").message == "1/3 replicas ready"
    assert condition(found, "CPUPoolReady").status == "True"
    assert condition(found, "Ready").reason == "Progressing"
    assert condition(found, "Reconciling").status == "True"
    assert condition(found, "Available").status == "True"


@pytest.mark.parametrize(
    "behind",
    [
        {"observedGeneration": 0},  # the controller has not looked at the new spec
        {"updatedReplicas": 0},  # the ready pod is of the old template
        {"replicas": 2},  # an old pod is still there
        {"ready": 0},
    ],
)
def test_only_pods_of_the_current_template_make_a_pool_ready(make_server: MakeServer, behind: dict[str, int]) -> None:
    assert condition(look(make_server(BOTH), everything(**behind)), "GPUPoolReady").status == "False"


def test_a_pool_of_zero_is_as_wished(make_server: MakeServer) -> None:
    found = look(make_server(BOTH), everything(desired=0))
    assert (condition(found, "GPUPoolReady").status, condition(found, "GPUPoolReady").reason) == (
        "True",
        "ScaledToZero",
    )


def test_what_needs_help_is_told_before_what_needs_time(make_server: MakeServer) -> None:
    pulling = live_pod(
        "gpu", containerStatuses=[container(waiting={"reason": "ErrImagePull", "message": "no such tag"})]
    )
    seen = observed(live_deployment("cpu", ready=0), live_deployment("gpu", ready=0), pods=(pulling,))
    ready = condition(look(make_server(BOTH), seen), "Ready")
    assert ready.reason == "ImagePull"
    assert "no such tag" in ready.message


def test_a_refused_object_stalls_the_resource_with_the_apis_words(make_server: MakeServer) -> None:
    problem = Problem(ObjectKey("Ingress", "kronos"), "Rejected", "spec.rules[0].host: Invalid value")
    found = look(make_server(BOTH), everything().with_applied({}, (problem,)))
    stalled = condition(found, "Stalled")
    assert (stalled.status, stalled.reason) == ("True", "Rejected")
    assert stalled.message == "Ingress kronos: spec.rules[0].host: Invalid value"
    assert condition(found, "Ready").reason == "Rejected"
    assert condition(found, "Reconciling").status == "False"


def test_a_paused_resource_says_so(make_server: MakeServer) -> None:
    assert condition(look(make_server({**BOTH, "paused": True}), everything()), "Stalled").reason == "Paused"


def test_a_silent_route_is_not_available(make_server: MakeServer) -> None:
    available = condition(look(make_server(BOTH), everything(ready=0)), "Available")
    assert available.status == "False"
    assert "kronos-batch" in available.message
    assert "kronos-single" not in available.message


def test_a_declared_ingress_is_waited_for(make_server: MakeServer) -> None:
    assert condition(look(make_server({**BOTH, "ingress": {}}), everything()), "RouteReady").status == "False"


def test_a_condition_of_an_undeclared_pool_does_not_exist(make_server: MakeServer) -> None:
    assert look(make_server({"cpu": {}}), everything()).condition("GPUPoolReady") is None


def test_clocks_move_only_when_what_they_measure_does(make_server: MakeServer) -> None:
    first = look(make_server(BOTH), everything())
    later = NOW + timedelta(minutes=5)
    again = look(make_server(BOTH, status=first.manifest(), generation=2), everything(ready=0), later)
    assert condition(again, "CPUPoolReady").last_transition_time == "2026-01-02T03:04:05Z"
    assert condition(again, "GPUPoolReady").last_transition_time == "2026-01-02T03:09:05Z"
    assert {each.observed_generation for each in again.conditions} == {2}
    assert again.routes == first.routes


def test_the_same_observation_gives_the_same_status(make_server: MakeServer) -> None:
    first = look(make_server(BOTH), everything())
    server = make_server(BOTH, status=first.manifest())
    assert look(server, everything(), NOW + timedelta(hours=1)) == server.status


@pytest.mark.parametrize(
    ("ingress", "balancer", "url"),
    [
        (None, None, "http://kronos-single.demo.svc"),
        ({}, None, "http://kronos-single.demo.svc"),
        ({}, {"ip": "10.0.0.1"}, "http://10.0.0.1"),
        ({}, {"hostname": "lb.example"}, "http://lb.example"),
        ({"hosts": ["a.example"]}, None, "http://a.example"),
        ({"hosts": ["a.example"], "tlsSecretName": "tls"}, {"ip": "10.0.0.1"}, "https://a.example"),
    ],
)
def test_the_url_is_the_best_that_is_known(
    make_server: MakeServer, ingress: dict[str, Any] | None, balancer: dict[str, str] | None, url: str
) -> None:
    spec = {**BOTH, **({"ingress": ingress} if ingress is not None else {})}
    addresses = [balancer] if balancer else []
    live = {"kind": "Ingress", "metadata": {"name": "kronos"}, "status": {"loadBalancer": {"ingress": addresses}}}
    assert look(make_server(spec), observed(live)).url == url
