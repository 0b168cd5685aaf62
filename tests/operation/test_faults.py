"""Trouble between the operator and the API server costs time and nothing else."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from cluster.plane import Plane
from cluster.progress import wait_for
from kronos_operator.kinds import DEPLOYMENT, OBSERVED, SERVICE
from operation.desk import Desk
from operation.fault_proxy import Call, FaultProxy
from running_operator import NO_LEASE, Installed, RunningOperator, running_operator

APPLIED_SECONDS = 30
# kopf gives up on a watch that was silent for 70 s; the API server sends at least a bookmark a minute.
SILENT_SECONDS = 90


@dataclass(frozen=True)
class Served:
    """A resource called `k` that is served through the proxy."""

    operator: RunningOperator
    proxy: FaultProxy
    desk: Desk

    def edit(self, drain_seconds: int) -> None:
        self.desk.edit("k", drain_seconds)

    def wait_applied(self, drain_seconds: int, seconds: float = APPLIED_SECONDS) -> None:
        wait_for("the edit", lambda: self.desk.drain_seconds("k") == drain_seconds, seconds)
        wait_for("its status", lambda: self.desk.reconciled() == ["k"], seconds)

    def wait_quiet(self) -> None:
        """Until nothing but watches was asked for in 2 s."""
        wait_for("a quiet moment", lambda: time.monotonic() - self.proxy.calls[-1].at > 2, 60)

    def calls_since(self, at: float) -> list[Call]:
        return [call for call in self.proxy.calls if call.at >= at]


@pytest.fixture
def served(plane: Plane, installed: Installed, desk: Desk, proxy: FaultProxy) -> Iterator[Served]:
    desk.declare("k")
    only = {"KRONOS_OPERATOR_WATCH_NAMESPACES": desk.namespace}
    with running_operator(plane, installed, proxy.url, **NO_LEASE, **only) as operator:
        made = Served(operator, proxy, desk)
        wait_for("the resource being ready", lambda: desk.condition("k", "Ready").get("status") == "True", 60)
        made.wait_quiet()
        yield made
        assert operator.process.poll() is None, operator.log


def applies(call: Call) -> bool:
    return call.method == "PATCH" and f"/{DEPLOYMENT.plural}/" in call.path


def every(_: Call) -> bool:
    return True


def test_a_refused_write_is_tried_again_later_each_time_and_not_more_often(served: Served) -> None:
    for number, status in enumerate((409, 429, 500, 503, 504)):
        began = time.monotonic()
        served.proxy.fail(applies, status, times=3)
        served.edit(10 + number)
        served.wait_applied(10 + number)
        served.wait_quiet()
        tries = [call.at for call in served.calls_since(began) if applies(call)]
        assert len(tries) == 4, status
        assert tries[3] - tries[2] > tries[1] - tries[0] > 0.2, status
    errors = served.operator.metric(
        "kronos_operator_reconcile_seconds", "kronos_operator_reconcile_seconds_count", result="error"
    )
    assert errors == 15


def test_the_api_servers_wish_for_patience_is_granted(served: Served) -> None:
    served.proxy.fail(applies, 429, times=2, Retry_After="3")
    began = time.monotonic()
    served.edit(8)
    served.wait_applied(8)
    tries = [call.at for call in served.calls_since(began) if applies(call)]
    assert len(tries) == 3
    assert min(tries[1] - tries[0], tries[2] - tries[1]) >= 3


def test_an_edit_while_the_api_server_refuses_everything_is_applied_afterwards(served: Served) -> None:
    served.proxy.cut_watches()
    served.proxy.fail(every, 503)
    began = time.monotonic()
    served.edit(8)
    time.sleep(10)  # the length of the outage
    refused = served.calls_since(began)
    assert served.operator.probe("/healthz") == 200
    served.proxy.heal()
    served.wait_applied(8)
    # Each watch tries again after 1, 1, 2, 3 and then every 5 s.
    assert len(refused) <= 8 * (len(OBSERVED) + 1)


def test_what_was_deleted_while_no_watch_was_open_is_back(served: Served) -> None:
    """History may be gone, too: then a new watch does not tell what is missing."""
    served.proxy.watches_are_gone = True
    served.proxy.cut_watches()
    deleted = SERVICE.path(served.desk.namespace, "k-cpu"), DEPLOYMENT.path(served.desk.namespace, "k-cpu")
    for path in deleted:
        served.desk.plane.send("DELETE", path)
    served.proxy.heal()
    wait_for("both being back", lambda: all(served.desk.plane.find(path) for path in deleted), 30)


def test_an_edit_is_applied_although_all_watches_fell_silent(served: Served) -> None:
    assert served.proxy.silence_watches() > 0
    began = time.monotonic()
    served.edit(8)
    served.wait_applied(8, SILENT_SECONDS)
    assert len(served.calls_since(began)) <= 12 * (len(OBSERVED) + 1)
