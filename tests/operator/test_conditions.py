"""Conditions that follow from the plan: updates that wait, fail or were undone, routes away from home."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from kronos_operator.api import Condition, PoolName, RouteStatus, Server
from kronos_operator.conditions import conditions
from kronos_operator.observed import ObjectKey, Observed, Problem
from kronos_operator.plan import Plan, PoolPlan, Stage
from kronos_operator.plan.clocks import Availability
from kronos_operator.plan.revisions import Revision
from kronos_operator.plan.rollout import Rollout
from tests.operator.facts import live_deployment, live_slice, observed

MakeServer = Callable[..., Server]
BOTH: dict[str, Any] = {"cpu": {"replicas": 1}, "gpu": {"replicas": 1}}
RUN = Revision("run", {})
SINCE = "2026-01-01T00:00:00Z"


def pool_plan(**changes: Any) -> PoolPlan:
    start: dict[str, Any] = {"rollout": Rollout(RUN), "replicas": 1, "wanted": 1, "spare": False, "replaces": False}
    return PoolPlan(**{**start, **changes})


def planned(batch: PoolName = "gpu", **pools: PoolPlan) -> Plan:
    steady = Availability(None, None)
    return Plan(
        pools={"cpu": pools.get("cpu", pool_plan()), "gpu": pools.get("gpu", pool_plan())},
        availability={"cpu": steady, "gpu": steady},
        routes={"single": RouteStatus(pool="cpu", since=SINCE), "batch": RouteStatus(pool=batch, since=SINCE)},
        homes={"single": "cpu", "batch": "gpu"},
    )


def everything_ready(**parts: Any) -> Observed:
    slices = tuple(live_slice(f"kronos-{name}", 1) for name in ("cpu", "gpu", "single", "batch"))
    return observed(live_deployment("cpu"), live_deployment("gpu"), *parts.pop("objects", ()), slices=slices, **parts)


def look(server: Server, plan: Plan, seen: Observed | None = None) -> Mapping[str, Condition]:
    return {each.type: each for each in conditions(server, seen or everything_ready(), plan)}


def test_a_template_that_was_undone_stalls_the_resource_though_it_answers(make_server: MakeServer) -> None:
    undone = pool_plan(
        rollout=Rollout(RUN, Stage.ROLLED_BACK, "bad", "no such image", "template bad failed: no such image")
    )
    found = look(make_server(BOTH), planned(gpu=undone))
    assert (found["Stalled"].status, found["Stalled"].reason) == ("True", "RolledBack")
    assert "no such image" in found["Ready"].message
    assert found["GPUPoolReady"].status == "False"
    assert (found["CPUPoolReady"].status, found["Available"].status) == ("True", "True")


def test_a_failed_template_that_stays_is_told_apart(make_server: MakeServer) -> None:
    stopped = pool_plan(rollout=Rollout(RUN, Stage.STOPPED, "run", "crash", "template run failed: crash"))
    assert look(make_server(BOTH), planned(cpu=stopped))["Stalled"].reason == "RolloutFailed"


def test_an_update_that_waits_is_under_way_and_not_stalled(make_server: MakeServer) -> None:
    held = pool_plan(rollout=Rollout(RUN, Stage.HELD), waiting="waits until the CPU pool has been updated")
    found = look(make_server(BOTH), planned(gpu=held))
    assert found["GPUPoolReady"].message == "the update waits until the CPU pool has been updated"
    assert (found["Ready"].status, found["Reconciling"].status, found["Stalled"].status) == ("False", "True", "False")


def test_a_route_away_from_home_is_available_and_not_ready(make_server: MakeServer) -> None:
    found = look(make_server(BOTH), planned(batch="cpu"))
    assert (found["FailedOver"].status, found["Ready"].reason) == ("True", "FailedOver")
    assert found["FailedOver"].message.startswith("batch is answered by pool cpu instead of gpu")
    assert found["Available"].status == "True"


def test_with_one_pool_there_is_nothing_to_fail_over_to(make_server: MakeServer) -> None:
    plan = planned()
    alone = Plan({"cpu": pool_plan()}, plan.availability, plan.routes, plan.homes)
    assert "FailedOver" not in look(make_server({"cpu": {}}), alone)


@pytest.mark.parametrize(("replaces", "warned"), [(True, True), (False, False)])
def test_a_pool_that_cannot_be_updated_without_a_gap_says_so_beforehand(
    make_server: MakeServer, replaces: bool, warned: bool
) -> None:
    plan = planned()
    alone = Plan({"gpu": pool_plan(replaces=replaces)}, plan.availability, plan.routes, plan.homes)
    message = look(make_server({"gpu": {"replicas": 1}}), alone)["GPUPoolReady"].message
    assert ("interrupt" in message) is warned


GATEWAY: dict[str, Any] = {**BOTH, "gateway": {"parentRefs": [{"name": "public"}]}}


def http_route(accepted: str) -> dict[str, Any]:
    condition = {"type": "Accepted", "status": accepted, "message": "no listener fits"}
    status = {"parents": [{"parentRef": {"name": "public"}, "conditions": [condition]}]}
    return {"kind": "HTTPRoute", "metadata": {"name": "kronos"}, "status": status}


def test_a_gateways_refusal_is_passed_on(make_server: MakeServer) -> None:
    refused = look(make_server(GATEWAY), planned(), everything_ready(objects=(http_route("False"),)))["RouteReady"]
    assert (refused.status, refused.reason) == ("False", "GatewayRefused")
    assert "public" in refused.message
    assert "no listener fits" in refused.message
    accepted = look(make_server(GATEWAY), planned(), everything_ready(objects=(http_route("True"),)))["RouteReady"]
    assert accepted.status == "True"


def test_a_missing_gateway_api_is_told_with_its_cure(make_server: MakeServer) -> None:
    problem = Problem(ObjectKey("HTTPRoute", "kronos"), "GatewayAPIMissing", "install the Gateway API")
    found = look(make_server(GATEWAY), planned(), everything_ready(problems=(problem,)))
    assert (found["RouteReady"].reason, found["RouteReady"].message) == ("GatewayAPIMissing", "install the Gateway API")


@pytest.mark.parametrize("reason", ["NameConflict", "Rejected"])
def test_a_pool_whose_deployment_cannot_be_applied_says_why(make_server: MakeServer, reason: str) -> None:
    problem = Problem(ObjectKey("Deployment", "kronos-cpu"), reason, "rename or delete it")
    found = look(make_server(BOTH), planned(), everything_ready(problems=(problem,)))
    for type_ in ("Ready", "CPUPoolReady"):
        assert (found[type_].status, found[type_].reason) == ("False", reason)
        assert found[type_].message == "Deployment kronos-cpu: rename or delete it"
    assert found["GPUPoolReady"].status == "True"
