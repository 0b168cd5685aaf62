"""Looking at every resource now and then."""

import asyncio
from contextlib import suppress

from kronos_operator.resync import Resync
from kronos_operator.workqueue import Urgency, WorkQueue


async def nothing(_: str) -> None:
    return None


class Recorded(WorkQueue[str]):
    """Keeps what is added instead of working on it."""

    def __init__(self) -> None:
        super().__init__(nothing)
        self.added: list[tuple[str, Urgency]] = []

    def add(self, key: str, urgency: Urgency = Urgency.NORMAL) -> None:
        self.added.append((key, urgency))


async def test_every_key_is_added_again_and_a_failure_is_survived() -> None:
    queue = Recorded()
    answers = iter([["a"], ConnectionError("away"), ["a", "b"]])

    async def keys() -> list[str]:
        answer = next(answers, None)
        if answer is None:
            raise asyncio.CancelledError
        if isinstance(answer, Exception):
            raise answer
        return answer

    with suppress(asyncio.CancelledError):
        await asyncio.wait_for(Resync(keys, queue, 0.001).run(), 10)
    assert queue.added == [(key, Urgency.LOW) for key in ("a", "a", "b")]


async def test_a_failed_attempt_is_a_sign_of_life() -> None:
    async def keys() -> list[str]:
        raise ConnectionError("away")

    resync = Resync(keys, WorkQueue(nothing), 1000)
    task = asyncio.create_task(resync.run())
    await asyncio.sleep(0.01)
    assert resync.is_live()
    task.cancel()


async def test_a_stuck_attempt_ends_the_signs_of_life() -> None:
    now = 0.0

    async def keys() -> list[str]:
        await asyncio.Event().wait()
        return []

    resync = Resync(keys, WorkQueue(nothing), 300, lambda: now)
    task = asyncio.create_task(resync.run())
    await asyncio.sleep(0)
    now = 600
    assert resync.is_live()
    now = 661
    assert not resync.is_live()
    task.cancel()
