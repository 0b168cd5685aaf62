"""Holds the status against the time that it may take to tell a cause, counted from what Kubernetes itself shows."""

import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from e2e.workbench import Workbench, resource, wait_until

SHOWN_SECONDS = 10
# Until Kubernetes itself shows the fact: images are started, servers load, probes fail.
FACT_SECONDS = 120
Fact = Callable[[Workbench], bool]
Preparation = Callable[[Workbench], Any]


def at_once(_: Workbench) -> bool:
    """The fact is there as soon as the resource is."""
    return True


def nothing(_: Workbench) -> None:
    """No preparation."""


class Case(NamedTuple):
    """One way to keep a pool from being ready.

    said: parts of the message: what happened, and what to do.
    fact: what Kubernetes shows of it, from when on the status may take its time.
    before: what must be there first.
    """

    pool: str
    reason: str
    fields: dict[str, Any]
    said: tuple[str, ...]
    fact: Fact = at_once
    before: Preparation = nothing
    rest: Mapping[str, Any] = MappingProxyType({})


def assert_told(bench: Workbench, case: Case) -> None:
    """Provoke a cause, and find it on the resource in time, with what happened and what to do."""
    case.before(bench)
    bench.apply(resource({case.pool: case.fields, **case.rest}))
    wait_until("the fact", lambda: case.fact(bench), FACT_SECONDS)
    assert_shown(bench, case.pool, case.reason, *case.said)


def assert_shown(bench: Workbench, pool: str, reason: str, *said: str) -> None:
    """Find a reason on a pool's condition in time, and on the whole."""
    type_ = f"{pool.upper()}PoolReady"
    deadline = time.monotonic() + SHOWN_SECONDS
    while (found := bench.condition(type_)).get("reason") != reason:
        assert time.monotonic() < deadline, f"{reason} is not told after {SHOWN_SECONDS} s, but {found}"
    message = found["message"]
    assert [part for part in said if part not in message] == [], message
    assert bench.condition("Ready")["reason"] == reason


def waits(*reasons: str) -> Fact:
    """A container waits for one of these reasons."""
    return lambda bench: any(state.get("waiting", {}).get("reason") in reasons for state in _states(bench))


def ended(bench: Workbench) -> bool:
    """A container has ended, and not well."""
    return any(state.get("terminated", {}).get("exitCode", 0) != 0 for state in _states(bench))


def refused(bench: Workbench) -> bool:
    """The API server refuses the pods of a Deployment."""
    return any(each["type"] == "ReplicaFailure" for each in _conditions(bench, "deployments"))


def unplaced(bench: Workbench) -> bool:
    """The scheduler finds no node for a pod."""
    conditions = _conditions(bench, "pods")
    return any(each["type"] == "PodScheduled" and each["status"] == "False" for each in conditions)


def warned(reason: str, text: str) -> Fact:
    """The kubelet has posted a warning with that reason and text."""

    def fact(bench: Workbench) -> bool:
        events = bench.read("events", f"--field-selector=type=Warning,reason={reason}")["items"]
        return any(text in event["message"] for event in events)

    return fact


def late(bench: Workbench) -> bool:
    """The deadline of a Deployment has passed."""
    return any(each.get("reason") == "ProgressDeadlineExceeded" for each in _conditions(bench, "deployments"))


def _conditions(bench: Workbench, kind: str) -> list[dict[str, Any]]:
    return [each for item in bench.items(kind).values() for each in item["status"].get("conditions", ())]


def _states(bench: Workbench) -> list[dict[str, Any]]:
    found = []
    for pod in bench.items("pods").values():
        for part in ("initContainerStatuses", "containerStatuses"):
            for container in pod["status"].get(part, ()):
                found += [container["state"], container.get("lastState", {})]
    return found
