"""Two operators and one Lease: one writes, and the other takes over."""

import signal
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from cluster.plane import Manifest, Plane
from cluster.progress import say, wait_for
from operation.desk import Desk
from running_operator import Installed, RunningOperator, is_write, running_operator

# A lead ends 15 s after its last sign and is asked for every 2 s: 15 to 19 s, and more where the processors are busy.
TAKEOVER_SECONDS = 60
Pair = tuple[RunningOperator, RunningOperator]


@pytest.fixture
def pair(plane: Plane, installed: Installed, desk: Desk) -> Iterator[Pair]:
    """The leader of two operators of one release, and the one that waits; both serve the test's namespace."""
    served = {"KRONOS_OPERATOR_WATCH_NAMESPACES": desk.namespace}
    with running_operator(plane, installed, **served) as one, running_operator(plane, installed, **served) as other:
        wait_for("one leading", lambda: one.leads() or other.leads(), 60)
        leader, waiting = (one, other) if one.leads() else (other, one)
        wait_for("the other being up", lambda: waiting.probe("/readyz") == 200, 30)
        assert not waiting.leads()
        yield leader, waiting


def await_takeover(waiting: RunningOperator, cause: str) -> None:
    began = time.monotonic()
    wait_for("the other leading", waiting.leads, TAKEOVER_SECONDS)
    say(f"the other leads {time.monotonic() - began:.1f} s after {cause}")


def writes(operator: RunningOperator) -> list[Manifest]:
    return [entry for entry in operator.requests() if is_write(entry)]


def times(entries: list[Manifest]) -> list[str]:
    return sorted(entry["requestReceivedTimestamp"] for entry in entries)


def creations(*operators: RunningOperator) -> Counter[str]:
    """How often each object was made."""
    made = [entry for operator in operators for entry in writes(operator) if entry["responseStatus"]["code"] == 201]
    return Counter(entry["requestURI"] for entry in made if entry["objectRef"]["resource"] != "events")


def test_the_other_takes_over_from_a_killed_leader_and_writes_only_what_is_missing(pair: Pair, desk: Desk) -> None:
    leader, waiting = pair
    names = [f"k{number}" for number in range(4)]
    for name in names:
        desk.declare(name)
    wait_for("everything being reconciled", lambda: len(desk.reconciled()) == len(names), 30)
    wait_for("everything being ready", lambda: all(is_ready(desk, name) for name in names), 60)
    leader.signal(signal.SIGKILL)
    desk.edit("k1", drain_seconds=9)
    await_takeover(waiting, "a kill -9")
    wait_for("the edit", lambda: desk.drain_seconds("k1") == 9, 20)
    wait_for("its status", lambda: len(desk.reconciled()) == len(names), 20)
    assert times(writes(leader))[-1] < times(writes(waiting))[0]
    written = [(entry["objectRef"]["resource"], entry["objectRef"]["name"]) for entry in writes(waiting)]
    assert {name.partition(".")[0] for _, name in written} == {"k1", "k1-cpu"}
    assert written.count(("deployments", "k1-cpu")) == 1


def test_a_frozen_leader_ends_by_itself_and_writes_nothing_once_it_thaws(pair: Pair, desk: Desk) -> None:
    leader, waiting = pair
    names = [f"k{number}" for number in range(24)]
    for name in names:
        desk.declare(name)
    wait_for("the leader being in the midst of it", lambda: desk.drain_seconds("k0") is not None, 30)
    leader.signal(signal.SIGSTOP)
    assert len(desk.reconciled()) < len(names), "frozen in the midst of it"
    wait_for("the other leading", waiting.leads, TAKEOVER_SECONDS)
    wait_for("everything being reconciled", lambda: len(desk.reconciled()) == len(names), 60)
    before = len(leader.requests()), len(writes(leader))
    leader.signal(signal.SIGCONT)
    assert leader.exit_code() == 1
    assert "the lead is lost" in leader.log
    assert len(leader.requests()) > before[0], "it asked whether it still leads"
    assert len(writes(leader)) == before[1]
    assert times(writes(leader))[-1] < times(writes(waiting))[0]
    assert set(creations(leader, waiting).values()) == {1}


def test_a_leader_that_is_asked_to_end_hands_over_at_once(pair: Pair) -> None:
    leader, waiting = pair
    leader.signal(signal.SIGTERM)
    # Far less than the Lease lasts: it was released.
    wait_for("the other leading", waiting.leads, 10)
    assert leader.exit_code() == 0


def is_ready(desk: Desk, name: str) -> bool:
    return bool(desk.condition(name, "Ready").get("status") == "True")
