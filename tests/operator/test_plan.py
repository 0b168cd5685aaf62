"""What is decided beyond the spec, from observed facts."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kronos_operator.api import Manifest, PoolName, Server
from kronos_operator.identity import REVISION_LABEL
from kronos_operator.observed import Observed
from kronos_operator.plan import Plan, Stage, plan
from kronos_operator.plan.clocks import written
from kronos_operator.plan.replicas import replicas
from kronos_operator.plan.revisions import Revision, revision
from kronos_operator.render import templates
from kronos_operator.render.controller_revision import controller_revision
from kronos_operator.settings import Settings
from tests.operator.facts import live_deployment, live_pod, live_service, live_slice, observed

MakeServer = Callable[..., Server]
NOW = datetime(2026, 1, 2, tzinfo=UTC)
LONG_AGO = written(NOW - timedelta(hours=1))
OLD = revision({"metadata": {"labels": {}}, "spec": {"containers": [{"name": "server", "image": "old"}]}})


class World:
    """A running hybrid resource: each pool has one ready pod of a template that worked, batch prefers gpu."""

    def __init__(self, server: Server, **routes: PoolName) -> None:
        self.server = server
        self.routes: dict[str, PoolName] = {"single": "cpu", "batch": "gpu", **routes}
        self.run: dict[str, Revision] = {}
        self.ready: dict[str, int] = {"cpu": 1, "gpu": 1}
        self.desired: dict[str, int] = {"cpu": 1, "gpu": 1}
        self.counts: dict[str, dict[str, int]] = {"cpu": {}, "gpu": {}}
        self.behind: dict[str, str] = dict(self.routes)
        self.written: dict[str, str] = {}
        for pool, template in templates(server, Settings()).items():
            self.run[pool] = revision(template)

    def seen(self) -> Observed:
        objects: list[Manifest] = [live_service(f"kronos-{route}", pool) for route, pool in self.routes.items()]
        slices = [
            live_slice(f"kronos-{route}", 1, (f"{pool}-0",), self.written.get(route))
            for route, pool in self.behind.items()
        ]
        for pool, run in self.run.items():
            deployment = live_deployment(pool, self.desired[pool], self.ready[pool], **self.counts[pool])
            deployment["spec"]["template"] = run.template
            kept = controller_revision(self.server, pool, Revision(run.digest, run.template, 1))  # type: ignore[arg-type]
            objects += [deployment, kept]
            slices.append(live_slice(f"kronos-{pool}", self.ready[pool], (f"{pool}-0",) if self.ready[pool] else ()))
        pods = tuple(live_pod(pool, f"{pool}-0") for pool in self.run)
        for pod, run in zip(pods, self.run.values(), strict=True):
            pod["metadata"]["labels"][REVISION_LABEL] = run.digest
        return observed(*objects, slices=tuple(slices), pods=pods)

    def plan(self, now: datetime = NOW) -> Plan:
        return plan(self.server, templates(self.server, Settings()), self.seen(), now)


def status(**since: str) -> dict[str, Any]:
    """A status in which both pools have been available for long, with the routes at home unless said otherwise."""
    clocks = {"availableSince": LONG_AGO}
    moved = since.pop("moved", None)
    routes = {"single": {"pool": "cpu", "since": LONG_AGO}, "batch": {"pool": "gpu", "since": LONG_AGO}}
    if moved:
        routes["batch"] = {"pool": "cpu", "since": moved}
    return {"pools": [{"name": "cpu", **clocks}, {"name": "gpu", **clocks}], "routes": routes}


BOTH: dict[str, Any] = {"cpu": {"replicas": 1}, "gpu": {"replicas": 1}}


def test_a_settled_resource_needs_nothing_and_no_other_look(make_server: MakeServer) -> None:
    planned = World(make_server(BOTH, status())).plan()
    assert {pool: each.rollout.stage for pool, each in planned.pools.items()} == dict.fromkeys(BOTH, Stage.WANTED)
    assert {route: each.pool for route, each in planned.routes.items()} == {"single": "cpu", "batch": "gpu"}
    assert planned.look_again is None


def gpu_update(make_server: MakeServer, state: dict[str, Any], **routes: PoolName) -> World:
    world = World(make_server(BOTH, state), **routes)
    world.run["gpu"] = OLD
    return world


def test_an_update_of_the_last_gpu_pod_moves_its_route_first(make_server: MakeServer) -> None:
    planned = gpu_update(make_server, status()).plan()
    assert planned.routes["batch"].pool == "cpu"
    assert planned.routes["batch"].since == written(NOW)
    assert planned.pools["gpu"].rollout.stage is Stage.HELD
    assert planned.pools["gpu"].rollout.run.template == OLD.template


def test_the_update_waits_until_the_edge_has_followed(make_server: MakeServer) -> None:
    moved = written(NOW - timedelta(seconds=3))
    planned = gpu_update(make_server, status(moved=moved), batch="cpu").plan()
    assert planned.pools["gpu"].rollout.stage is Stage.HELD
    assert planned.look_again == 2.0


def test_the_update_waits_while_the_routes_endpoints_still_show_the_pool(make_server: MakeServer) -> None:
    world = gpu_update(make_server, status(moved=LONG_AGO), batch="cpu")
    world.behind["batch"] = "gpu"
    assert world.plan().pools["gpu"].rollout.stage is Stage.HELD


def test_the_edge_gets_its_time_from_when_the_endpoints_followed(make_server: MakeServer) -> None:
    world = gpu_update(make_server, status(moved=LONG_AGO), batch="cpu")
    world.written["batch"] = written(NOW - timedelta(seconds=1))
    planned = world.plan()
    assert planned.pools["gpu"].rollout.stage is Stage.HELD
    assert planned.look_again == 4.0


def test_once_the_edge_has_followed_the_update_runs_and_the_route_stays_away(make_server: MakeServer) -> None:
    planned = gpu_update(make_server, status(moved=LONG_AGO), batch="cpu").plan()
    assert planned.pools["gpu"].rollout.stage is Stage.WANTED
    assert planned.pools["gpu"].rollout.run.template != OLD.template
    assert planned.routes["batch"].pool == "cpu"


@pytest.mark.parametrize(
    "spec",
    [
        {**BOTH, "gpu": {"replicas": 1, "rollout": {"strategy": "Surge"}}},
        {**BOTH, "gpu": {"replicas": 3}},
        {**BOTH, "routing": {"failover": {"mode": "Disabled"}}},
    ],
)
def test_an_update_that_loses_nothing_or_may_lose_runs_at_once(make_server: MakeServer, spec: dict[str, Any]) -> None:
    world = World(make_server(spec, status()))
    world.desired["gpu"] = world.ready["gpu"] = spec["gpu"]["replicas"]
    world.run["gpu"] = OLD
    planned = world.plan()
    assert planned.pools["gpu"].rollout.stage is Stage.WANTED
    assert planned.routes["batch"].pool == "gpu"


def test_an_only_pool_is_updated_at_once(make_server: MakeServer) -> None:
    world = World(make_server({"gpu": {"replicas": 1}}, status()), single="gpu")
    world.run = {"gpu": OLD}
    assert world.plan().pools["gpu"].rollout.stage is Stage.WANTED


def test_an_update_waits_for_the_other_pool_to_come_up_but_not_for_ever(make_server: MakeServer) -> None:
    state = status()
    state["pools"][0] = {"name": "cpu", "unavailableSince": written(NOW - timedelta(seconds=60))}
    world = gpu_update(make_server, state)
    world.ready["cpu"] = 0
    assert world.plan().pools["gpu"].rollout.stage is Stage.HELD
    state["pools"][0]["unavailableSince"] = LONG_AGO
    late = gpu_update(make_server, state)
    late.ready["cpu"] = 0
    assert late.plan().pools["gpu"].rollout.stage is Stage.WANTED


def test_a_pool_that_answers_nothing_is_updated_at_once(make_server: MakeServer) -> None:
    world = gpu_update(make_server, status())
    world.ready["gpu"] = 0
    assert world.plan().pools["gpu"].rollout.stage is Stage.WANTED


def test_a_change_of_both_pools_rolls_the_cpu_pool_first(make_server: MakeServer) -> None:
    world = gpu_update(make_server, status())
    world.run["cpu"] = OLD
    planned = world.plan()
    assert planned.pools["cpu"].rollout.stage is Stage.WANTED
    assert planned.pools["gpu"].rollout.stage is Stage.HELD
    assert planned.routes["batch"].pool == "gpu"


@pytest.mark.parametrize(
    ("progress", "stage"),
    [({"updatedReplicas": 0}, Stage.HELD), ({"replicas": 2}, Stage.HELD), ({"observedGeneration": 0}, Stage.HELD)],
)
def test_the_gpu_pool_waits_while_the_cpu_pool_rolls(
    make_server: MakeServer, progress: dict[str, int], stage: Stage
) -> None:
    world = gpu_update(make_server, status(moved=LONG_AGO), batch="cpu")
    world.counts["cpu"] = progress
    assert world.plan().pools["gpu"].rollout.stage is stage


def scaled_to_zero(make_server: MakeServer, state: dict[str, Any], **routes: PoolName) -> World:
    return World(make_server({**BOTH, "gpu": {"replicas": 0}}, state), **routes)


def test_a_pool_keeps_its_pods_until_its_routes_have_moved(make_server: MakeServer) -> None:
    planned = scaled_to_zero(make_server, status()).plan()
    assert planned.routes["batch"].pool == planned.homes["batch"] == "cpu"
    assert planned.pools["gpu"].replicas == 1
    later = scaled_to_zero(make_server, status(moved=LONG_AGO), batch="cpu").plan()
    assert later.pools["gpu"].replicas == 0


def test_both_pools_may_go_to_zero(make_server: MakeServer) -> None:
    spec = {"cpu": {"replicas": 0}, "gpu": {"replicas": 0}}
    planned = World(make_server(spec, status())).plan()
    assert {pool: each.replicas for pool, each in planned.pools.items()} == {"cpu": 0, "gpu": 0}


def removed(make_server: MakeServer, state: dict[str, Any], **routes: PoolName) -> World:
    world = World(make_server({"cpu": {"replicas": 1}}, state), **routes)
    world.run["gpu"] = OLD
    return world


def test_a_removed_pool_stays_until_its_routes_have_moved(make_server: MakeServer) -> None:
    planned = removed(make_server, status()).plan()
    assert planned.routes["batch"].pool == "cpu"
    assert planned.retained == {"gpu"}
    assert "gpu" not in planned.pools
    assert removed(make_server, status(moved=LONG_AGO), batch="cpu").plan().retained == frozenset()


def test_an_edited_service_is_no_decision(make_server: MakeServer) -> None:
    assert World(make_server(BOTH, status()), batch="cpu").plan().routes["batch"].pool == "gpu"


def test_without_a_status_the_services_tell_where_the_routes_are(make_server: MakeServer) -> None:
    world = World(make_server(BOTH), batch="cpu")
    planned = world.plan()
    assert planned.routes["batch"].pool == "cpu"
    assert planned.look_again == 30.0


def test_a_paused_resource_shows_the_routes_as_they_are(make_server: MakeServer) -> None:
    state = status()
    state["pools"][1] = {"name": "gpu", "unavailableSince": LONG_AGO}
    for paused, pool in ((False, "cpu"), (True, "gpu")):
        world = World(make_server({**BOTH, "paused": paused}, state))
        world.ready["gpu"] = 0
        assert world.plan().routes["batch"].pool == pool


def test_a_template_that_became_ready_is_kept(make_server: MakeServer) -> None:
    world = World(make_server(BOTH, status()))
    (kept,) = world.plan().pools["cpu"].kept
    assert kept.digest == kept.template["metadata"]["labels"][REVISION_LABEL] == world.run["cpu"].digest


def test_clocks_of_both_pools_are_told(make_server: MakeServer) -> None:
    world = World(make_server(BOTH, status()))
    world.ready["gpu"] = 0
    clocks = world.plan().availability
    assert written(clocks["cpu"].available_since or NOW) == LONG_AGO
    assert clocks["gpu"].unavailable_since == NOW


@pytest.mark.parametrize(
    ("declared", "live", "applied", "wanted"),
    [(None, None, 1, 1), (None, 7, None, 7), (3, None, 3, 3), (3, 7, 3, 3), (0, 7, 0, 0), (None, 0, None, 0)],
)
def test_undeclared_replicas_are_set_once_and_then_left_alone(
    make_server: MakeServer, declared: int | None, live: int | None, applied: int | None, wanted: int
) -> None:
    server = make_server({"cpu": {} if declared is None else {"replicas": declared}})
    seen = observed() if live is None else observed(live_deployment("cpu", desired=live))
    number = replicas(server, "cpu", seen)
    assert (number.applied, number.wanted) == (applied, wanted)
