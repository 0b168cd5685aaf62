"""A pool that is lost under load is stood in for by the other, and gets its route back."""

import time
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from cluster.progress import say
from e2e.hybrid import Hybrid
from e2e.load import Load

pytestmark = pytest.mark.e2e

BATCH = "/v1/predict/batch"
# Three of them are afterSeconds, for which the pool must have been gone.
PROMISED_SECONDS = 5.0
LEAST = 40


@dataclass(frozen=True)
class Loss:
    """What clients saw while the only pod of the GPU pool was killed, could not come back, and then could.

    batch, single: without a wish for a device; header, path: forced to the GPU pool.
    lost, offered: when the pod was killed, and when a GPU was there again.
    away: the status while the route was away.
    """

    batch: Load
    single: Load
    header: Load
    path: Load
    lost: float
    offered: float
    away: dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def loss(hybrid: Hybrid) -> Loss:
    with ExitStack() as stack:
        batch = stack.enter_context(Load(hybrid.request(BATCH), 15))
        single = stack.enter_context(Load(hybrid.request("/v1/predict/single"), 5))
        header = stack.enter_context(Load(hybrid.request(BATCH, "gpu"), 5))
        path = stack.enter_context(Load(hybrid.request("/v1/devices/gpu/predict/batch"), 5))
        for load in (batch, single, header, path):
            load.await_total(LEAST)
        lost = time.monotonic()
        hybrid.lose_gpu()
        hybrid.wait_for("FailedOver", 60)
        batch.await_more(LEAST, "cpu")
        away = {each["type"]: each for each in hybrid.status()["conditions"]}
        offered = time.monotonic()
        hybrid.offer_gpus(1)
        hybrid.wait_for("Ready")
        for load in (batch, single, header, path):
            load.await_more(LEAST)
    return Loss(batch, single, header, path, lost, offered, away)


def test_the_route_is_answered_by_the_other_pool_within_seconds(loss: Loss, capsys: pytest.CaptureFixture[str]) -> None:
    before = [answer for answer in loss.batch.answers if answer.ended < loss.lost]
    assert {(answer.status, answer.pool) for answer in before} == {(200, "gpu")}
    first = min(answer.ended for answer in loss.batch.since(loss.lost, "cpu"))
    with capsys.disabled():
        say(f"\nfailed over in {first - loss.lost:.2f} s; batch: {loss.batch}")
    assert first - loss.lost < PROMISED_SECONDS
    assert [answer for answer in loss.batch.failed if answer.sent > first] == []


def test_the_route_comes_back_without_a_failed_request(loss: Loss) -> None:
    """Once a GPU is there again, its pool proves steady first, and answers in the end."""
    after = [answer for answer in loss.batch.answers if answer.sent > loss.offered]
    assert {answer.status for answer in after} == {200}
    assert {answer.pool for answer in after[-LEAST // 2 :]} == {"gpu"}


def test_the_other_route_is_not_disturbed(loss: Loss) -> None:
    assert loss.single.failed == []
    assert {answer.pool for answer in loss.single.answers} == {"cpu"}


@pytest.mark.parametrize("way", ["header", "path"])
def test_a_forced_device_is_refused_meanwhile_and_never_replaced_by_another(
    loss: Loss, way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    load: Load = getattr(loss, way)
    with capsys.disabled():
        say(f"\nforced by {way}: {load}")
    assert load.since(0, "cpu") == []
    assert {answer.status for answer in load.failed} == {503}
    assert [answer for answer in load.failed if answer.sent < loss.lost] == []
    meanwhile = [answer for answer in load.answers if loss.lost + PROMISED_SECONDS < answer.sent < loss.offered]
    assert {answer.status for answer in meanwhile} == {503}


def test_the_status_and_events_tell_of_it(hybrid: Hybrid, loss: Loss) -> None:
    assert loss.away["FailedOver"]["reason"] == "FailedOver"
    assert "batch is answered by pool cpu instead of gpu" in loss.away["FailedOver"]["message"]
    assert loss.away["Available"]["status"] == "True"
    assert loss.away["GPUPoolReady"]["reason"] == "InsufficientGPU"
    events = hybrid.events()
    assert "RouteMoved: batch: from pool gpu to pool cpu" in events
    assert "RouteMoved: batch: from pool cpu to pool gpu" in events
    assert any(event.startswith("FailedOver: batch is answered by pool cpu") for event in events)
