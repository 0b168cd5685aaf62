"""Decides which pool a route selects now."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from kronos_operator.api import PoolName
from kronos_operator.api.spec import Failover
from kronos_operator.plan.clocks import Availability, remaining

OTHER: Mapping[PoolName, PoolName] = {"cpu": "gpu", "gpu": "cpu"}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pool as a route sees it.

    wanted: declared with at least one replica.
    leaving: about to lose its pods on purpose.
    proven: some template of it has worked before; a pool on its first start has nothing to be steady against.
    """

    availability: Availability
    wanted: bool = True
    leaving: bool = False
    proven: bool = True

    @property
    def usable(self) -> bool:
        """Whether it answers, and goes on to."""
        return self.availability.holds and self.wanted and not self.leaving


class Choice(NamedTuple):
    """The pool that a route selects, and in how many seconds that may change by itself."""

    pool: PoolName
    look_again: float | None = None


Candidates = Mapping[PoolName, Candidate]


def home(preferred: PoolName, pools: Candidates) -> PoolName:
    """Where a route belongs: a preferred pool of zero replicas leaves it to the other."""
    other = OTHER[preferred]
    return other if not pools[preferred].wanted and pools[other].wanted else preferred


def choose(current: PoolName | None, preferred: PoolName, pools: Candidates, rule: Failover, now: datetime) -> Choice:
    """The pool for one route: home while it answers, else the other if that one does, else as it was."""
    if rule.mode == "Disabled":
        return Choice(preferred)
    at_home = home(preferred, pools)
    if current is None:
        return Choice(at_home)
    if current == at_home:
        return _leave(at_home, pools, rule, now)
    return _return(at_home, pools, rule, now)


def _leave(at_home: PoolName, pools: Candidates, rule: Failover, now: datetime) -> Choice:
    here, there = pools[at_home], pools[OTHER[at_home]]
    if here.usable or not there.usable:
        return Choice(at_home)
    if here.leaving or not here.wanted:
        return Choice(OTHER[at_home])
    wait = remaining(here.availability.unavailable_since, rule.after_seconds, now)
    return Choice(at_home, wait) if wait else Choice(OTHER[at_home])


def _return(at_home: PoolName, pools: Candidates, rule: Failover, now: datetime) -> Choice:
    here, there = pools[at_home], pools[OTHER[at_home]]
    if not here.usable:
        return Choice(OTHER[at_home])
    if not there.usable or not here.proven:
        return Choice(at_home)
    wait = remaining(here.availability.available_since, rule.back_after_seconds, now)
    return Choice(OTHER[at_home], wait) if wait else Choice(at_home)
