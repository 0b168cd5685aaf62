"""The plan for one resource: routes, templates, replicas, and what must wait for what."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from kronos_operator.api import POOLS, ROUTES, Manifest, PoolName, RouteName, RouteStatus, Server
from kronos_operator.identity import pool_object_name, route_object_name
from kronos_operator.observed import Observed
from kronos_operator.plan.clocks import Availability, availability, moment, remaining, written
from kronos_operator.plan.replicas import Replicas, replicas
from kronos_operator.plan.revisions import Revision, kept_revisions, revision, revision_of, stored_revisions
from kronos_operator.plan.rollout import Rollout, RolloutFacts, Stage, present, target
from kronos_operator.plan.routing import OTHER, Candidate, Candidates, Choice, choose, home
from kronos_operator.progress import counts, is_rolling, is_settled


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """One declared pool.

    replicas: the number to apply; None leaves it to whoever scales the Deployment.
    wanted: the number of pods, whoever wants them.
    spare: whether the pool can do without one of them while a node is drained.
    replaces: an update takes a pod away before it adds one.
    kept: the templates to keep for a rollback.
    waiting: the sentence for the user where something is held back.
    """

    rollout: Rollout
    replicas: int | None
    wanted: int
    spare: bool
    replaces: bool
    kept: tuple[Revision, ...] = ()
    waiting: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be rendered, beyond the spec.

    availability: the clocks of both pools, declared or not.
    routes: the pool that each route selects, and since when.
    homes: the pool that each route belongs to.
    retained: pools that are no longer declared and stay until their routes have moved.
    look_again: seconds until something can change by itself; None where nothing does.
    """

    pools: Mapping[PoolName, PoolPlan]
    availability: Mapping[PoolName, Availability]
    routes: Mapping[RouteName, RouteStatus]
    homes: Mapping[RouteName, PoolName]
    retained: frozenset[PoolName] = frozenset()
    look_again: float | None = None


class Wait(NamedTuple):
    """What keeps a pool from losing its pods on purpose, and for how many seconds if that is known."""

    because: str
    seconds: float | None = None


def plan(server: Server, templates: Mapping[PoolName, Manifest], seen: Observed, now: datetime) -> Plan:
    """The plan for one resource.

    templates: what the spec says the pods of each declared pool are made from.
    """
    return _Planner(server, templates, seen, now).plan()


class _Planner:
    """Carries the inputs of one plan from step to step; each step is a function of them."""

    def __init__(self, server: Server, templates: Mapping[PoolName, Manifest], seen: Observed, now: datetime) -> None:
        self.server = server
        self.seen = seen
        self.now = now
        self.rule = server.spec.routing.failover
        self.availability = {pool: self._availability(pool) for pool in POOLS}
        self.replicas = {pool: replicas(server, pool, seen) for pool in server.pools}
        self.facts = {pool: self._facts(pool, template) for pool, template in templates.items()}
        self.targets = {pool: target(facts) for pool, facts in self.facts.items()}

    def plan(self) -> Plan:
        candidates = {pool: self._candidate(pool) for pool in POOLS}
        choices = {route: self._choice(route, candidates) for route in ROUTES}
        routes = {route: self._route(route, choice) for route, choice in choices.items()}
        waits = {pool: self._wait(pool, routes) for pool in POOLS}
        seconds = [choice.look_again for choice in choices.values()]
        seconds += [wait.seconds for pool, wait in waits.items() if wait and self._is_losing(pool)]
        return Plan(
            pools={pool: self._pool(pool, waits[pool]) for pool in self.server.pools},
            availability=self.availability,
            routes=routes,
            homes={route: home(self.server.spec.preferred(route), candidates) for route in ROUTES},
            retained=frozenset(pool for pool in POOLS if waits[pool] and self._is_removed(pool)),
            look_again=min((each for each in seconds if each is not None), default=None),
        )

    def _choice(self, route: RouteName, candidates: Candidates) -> Choice:
        live = self.seen.selected_pool(self.server, route)
        if self.server.spec.paused and live is not None:
            return Choice(live)
        # What we decided last, not what the Service says: somebody's edit of it is no decision.
        decided = getattr(self.server.status.routes, route, None)
        current = decided.pool if decided else live
        return choose(current, self.server.spec.preferred(route), candidates, self.rule, self.now)

    def _availability(self, pool: PoolName) -> Availability:
        ready = len(self.seen.ready_pods(pool_object_name(self.server, pool)))
        return availability(ready, self.server.status.pool(pool), self.now)

    def _facts(self, pool: PoolName, template: Manifest) -> RolloutFacts:
        before = self.server.status.pool(pool)
        return RolloutFacts(
            wanted=revision(template),
            deployment=self.seen.deployment(self.server, pool),
            pods=self.seen.pool_pods(pool),
            stored=stored_revisions(pool, self.seen),
            rejected=before.rejected_revision if before else None,
            told=before.rejected_because if before else None,
            stops=self.server.pools[pool].rollout.on_failure == "Stop",
            now=self.now,
        )

    def _candidate(self, pool: PoolName) -> Candidate:
        declared = pool in self.server.pools
        return Candidate(
            availability=self.availability[pool],
            wanted=declared and self.replicas[pool].wanted > 0,
            leaving=declared and self._replaces_last_pod(pool) and not self._waits_for_its_turn(pool),
            proven=bool(stored_revisions(pool, self.seen)),
        )

    def _replaces(self, pool: PoolName) -> bool:
        strategy = self.server.pools[pool].rollout.strategy
        return (strategy or ("Surge" if pool == "cpu" else "Replace")) == "Replace"

    def _changes(self, pool: PoolName) -> bool:
        """Whether the pool is about to get another template, and can keep the present one until then."""
        facts = self.facts[pool]
        return facts.running != self.targets[pool].run.digest and present(facts) is not None

    def _replaces_last_pod(self, pool: PoolName) -> bool:
        number = self.replicas[pool]
        return (
            self._replaces(pool)
            and min(number.live or 0, number.wanted) <= 1
            and self._serves_other(pool, self.targets[pool])
        )

    def _serves_other(self, pool: PoolName, rollout: Rollout) -> bool:
        """Whether a pod of another template is ready: it would be lost, where one that is not ready is no loss."""
        ready = self.seen.ready_pods(pool_object_name(self.server, pool))
        served = {revision_of(pod) for pod in self.seen.pool_pods(pool) if pod["metadata"]["name"] in ready}
        return bool(served - {rollout.run.digest})

    def _waits_for_its_turn(self, pool: PoolName) -> bool:
        """A change that touches both pools rolls them one after the other, CPU first."""
        first: PoolName = "cpu"
        deployment = self.seen.deployment(self.server, first)
        if pool == first or first not in self.server.pools or deployment is None:
            return False
        return self._changes(first) or is_rolling(deployment)

    def _is_removed(self, pool: PoolName) -> bool:
        return pool not in self.server.pools and self.seen.deployment(self.server, pool) is not None

    def _empties(self, pool: PoolName) -> bool:
        number = self.replicas.get(pool, Replicas(None, None))
        return number.applied == 0 and bool(number.live)

    def _is_losing(self, pool: PoolName) -> bool:
        declared = pool in self.server.pools
        return self._is_removed(pool) or (declared and (self._empties(pool) or self._replaces_last_pod(pool)))

    def _wait(self, pool: PoolName, routes: Mapping[RouteName, RouteStatus]) -> Wait | None:
        """What must happen before the pool may lose its pods without losing a request."""
        if not self.availability[pool].holds:
            return None
        other = OTHER[pool]
        serving = [route for route, status in routes.items() if status.pool == pool]
        if serving:
            names = " and ".join(serving)
            return Wait(f"waits until pool {other} can answer for {names}") if self._is_hopeful(other) else None
        settling = max(self._settling(route, pool, routes[route]) for route in ROUTES)
        return Wait(f"waits until the edge follows to pool {other}", settling) if settling else None

    def _is_hopeful(self, pool: PoolName) -> bool:
        """Whether it makes sense to wait for a pool to answer."""
        if pool not in self.server.pools or self.rule.mode == "Disabled" or not self.replicas[pool].wanted:
            return False
        deadline = self.server.pools[pool].rollout.progress_deadline_seconds
        down = self.availability[pool].unavailable_since
        return down is None or remaining(down, deadline, self.now) > 0

    def _settling(self, route: RouteName, pool: PoolName, status: RouteStatus) -> float:
        """Seconds until everybody has followed a route away from a pool; not 0 while its pods are still behind it."""
        seconds = self.server.spec.routing.settle_seconds
        service = route_object_name(self.server, route)
        mine = {pod["metadata"]["name"] for pod in self.seen.pool_pods(pool)}
        behind = self.seen.ready_pods(service) & mine
        if behind or self.seen.selected_pool(self.server, route) == pool:
            return max(1.0, seconds)
        # The endpoints may have followed the route late, and the edge follows them.
        clocks = [moment(status.since), self.seen.endpoints_written(service)]
        return max(remaining(clock, seconds, self.now) for clock in clocks if clock)

    def _pool(self, pool: PoolName, wait: Wait | None) -> PoolPlan:
        rollout, number = self.targets[pool], self.replicas[pool]
        autoscaling = self.server.pools[pool].autoscaling
        waiting = self._waiting(pool, wait)
        if waiting and self._changes(pool):
            running = present(self.facts[pool])
            rollout = Rollout(running, Stage.HELD, because=waiting) if running else rollout
        if wait is not None and self._empties(pool):
            waiting = wait.because
            number = replace(number, applied=number.live)
        return PoolPlan(
            rollout=rollout,
            replicas=number.applied,
            wanted=number.wanted,
            spare=(autoscaling.min_replicas if autoscaling else number.wanted) > 1,
            # A rollout under way cannot be held: until the old pod may go, it stays beside the new one.
            replaces=self._replaces(pool) and not (waiting and self._serves_other(pool, rollout)),
            kept=tuple(kept_revisions(self.facts[pool].stored, self._proven(pool, rollout.run))),
            waiting=waiting,
        )

    def _waiting(self, pool: PoolName, wait: Wait | None) -> str:
        """What the pool's update waits for; empty where it may run."""
        if self._changes(pool) and self._waits_for_its_turn(pool):
            return "waits until the CPU pool has been updated"
        return wait.because if wait is not None and self._replaces_last_pod(pool) else ""

    def _proven(self, pool: PoolName, run: Revision) -> Revision | None:
        """The template that all pods of the pool run now, ready, if it is the one to run."""
        facts = self.facts[pool]
        if facts.deployment is None or facts.running != run.digest:
            return None
        return run if is_settled(facts.deployment) and counts(facts.deployment).desired else None

    def _route(self, route: RouteName, choice: Choice) -> RouteStatus:
        before = getattr(self.server.status.routes, route, None)
        if before is not None and before.pool == choice.pool:
            unchanged: RouteStatus = before
            return unchanged
        return RouteStatus(pool=choice.pool, since=written(self.now))
