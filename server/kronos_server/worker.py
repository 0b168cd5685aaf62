"""One spawned process per device: the engine and its scheduler in there, its handle out here, a pipe between."""

import logging
import multiprocessing
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any

import numpy as np

from kronos_server import heap, logs
from kronos_server.checkpoints import Sources
from kronos_server.errors import StartFailed
from kronos_server.estimates import Capacity
from kronos_server.forecasts import Job, Sampling, Versions
from kronos_server.scheduler import Outcome, Scheduler, Step
from kronos_server.settings import Settings

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 1.0
TRIM_SECONDS = 15.0
STOP_SECONDS = 2.0
WARM_UP_ROWS, WARM_UP_HORIZON = 32, 4


@dataclass(frozen=True)
class Assignment:
    """What one worker is to be: its device, its share of the processors, and the weights."""

    device: str
    threads: int
    engines: int
    sources: Sources


@dataclass(frozen=True)
class Warm:
    """The engine has answered its first forecast."""

    versions: Versions
    capacity: Capacity


@dataclass(frozen=True)
class Heartbeat:
    """The engine's loop turns: its steps since the last one, and the seconds it computed, reading and decoding too."""

    steps: tuple[Step, ...]
    busy_seconds: float


@dataclass(frozen=True)
class Lost:
    """The engine ended, and why."""

    reason: str


@dataclass(frozen=True)
class Cancel:
    """Nobody waits for this job any more."""

    job_id: int


Report = Warm | Heartbeat | Outcome | Lost
Order = Job | Cancel | None
"""What goes in: a job, a cancellation, or None to end."""


class Worker:
    """The handle of one worker process. Reports arrive on a thread of their own, in order, and `Lost` is the last."""

    def __init__(self, assignment: Assignment, settings: Settings, report: Callable[["Worker", Report], None]) -> None:
        self.device = assignment.device
        self._report = report
        self._ending = False
        self._orders: SimpleQueue[Order] = SimpleQueue()
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=run, args=(theirs, assignment, settings), name=f"engine {self.device}", daemon=True
        )
        self._process.start()
        theirs.close()
        # Two threads, since a pipe that is full or empty blocks: the event loop must do neither.
        threading.Thread(target=self._receive, name=f"reports {self.device}", daemon=True).start()
        threading.Thread(target=self._send, name=f"orders {self.device}", daemon=True).start()

    def order(self, order: Order) -> None:
        """Sends a job, a cancellation or the end; never blocks."""
        self._orders.put(order)

    def stop(self) -> None:
        """Ends the process, by force if it does not go."""
        self._ending = True
        self.order(None)
        self._process.join(STOP_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    def _send(self) -> None:
        while True:
            order = self._orders.get()
            try:
                self._pipe.send(order)
            except OSError:  # the process is gone; the receiving thread says so
                return
            if order is None:
                return

    def _receive(self) -> None:
        reason = ""
        try:
            while True:
                report = self._pipe.recv()
                if isinstance(report, Lost):
                    reason = report.reason
                else:
                    self._report(self, report)
        except (EOFError, OSError):
            self._process.join(STOP_SECONDS)
            if not self._ending:
                reason = reason or f"the engine on {self.device} ended with code {self._process.exitcode}"
                self._report(self, Lost(reason))


def run(pipe: Connection, assignment: Assignment, settings: Settings) -> None:
    """The worker process: loads, warms up, then turns until told to end. Ends silently if the parent is gone."""
    # Ctrl-C and the container's SIGTERM are for the parent, which drains first.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    logs.configure(settings.log_level)
    try:
        _serve(pipe, assignment, settings)
    except (EOFError, BrokenPipeError):
        return
    except Exception as error:  # whatever ends an engine is passed on, and ends the server
        if not isinstance(error, StartFailed):
            logger.exception("engine on %s failed", assignment.device)
        pipe.send(Lost(f"{_first_line(error)} (engine on {assignment.device})"))


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return text[0] if isinstance(error, StartFailed) and text else f"{type(error).__name__}: {text[0] if text else ''}"


def _serve(pipe: Connection, assignment: Assignment, settings: Settings) -> None:
    # Loads the tensor library, which must happen in this process only.
    from kronos_server.engine import Engine

    engine = Engine(assignment.sources, assignment.device, assignment.threads, settings)
    scheduler = Scheduler(engine, settings.max_batch_size, settings.inference_timeout, time.monotonic)
    capacity = engine.measure(assignment.engines, settings.cache_tokens)
    _warm_up(scheduler)
    pipe.send(Warm(Versions(engine.model_version, engine.tokenizer_version), capacity))
    _turn_forever(pipe, scheduler)


def _warm_up(scheduler: Scheduler[Any]) -> None:
    """One forecast of an invented series, so that the first client does not pay for lazy initialisation."""
    close = 100 + np.sin(np.arange(WARM_UP_ROWS))
    context = np.stack([close, close + 1, close - 1, close, close, close * close], axis=1)
    times = np.arange(WARM_UP_ROWS + WARM_UP_HORIZON) * np.timedelta64(300, "s") + np.datetime64("2024-01-02", "us")
    sampling = Sampling(temperature=1.0, top_k=0, top_p=0.9, sample_count=1)
    scheduler.add(Job(0, context, times[:WARM_UP_ROWS], times[WARM_UP_ROWS:], sampling, deadline=float("inf")))
    while not scheduler.idle:
        for outcome in scheduler.turn():
            if isinstance(outcome.result, Exception):
                raise outcome.result


def _turn_forever(pipe: Connection, scheduler: Scheduler[Any]) -> None:
    beat = trimmed = time.monotonic()
    busy_seconds = 0.0
    while True:
        while pipe.poll(HEARTBEAT_SECONDS if scheduler.idle else 0):
            order: Order = pipe.recv()
            if order is None:
                return
            _obey(order, scheduler)
        began, busy = time.monotonic(), not scheduler.idle
        for outcome in scheduler.turn():
            pipe.send(outcome)
        now = time.monotonic()
        busy_seconds += busy * (now - began)
        if now - beat >= HEARTBEAT_SECONDS:
            pipe.send(Heartbeat(scheduler.take_steps(), busy_seconds))
            beat, busy_seconds = now, 0.0
        if now - trimmed >= TRIM_SECONDS:
            heap.trim()
            trimmed = now


def _obey(order: Job | Cancel, scheduler: Scheduler[Any]) -> None:
    if isinstance(order, Cancel):
        scheduler.cancel(order.job_id)
    else:
        scheduler.add(order)
