"""Shows people which step runs, how long it took, and where to look when it fails."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

STARTED = time.monotonic()
HEARTBEAT_SECONDS = 15.0


class StepFailed(Exception):
    """A step ended without its result; the message says why and what to read next."""


def say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


@contextmanager
def step(name: str, log: Path | None = None) -> Iterator[None]:
    """Announce a step, keep saying that it runs, and print its time at the end.

    Raises:
        StepFailed: the body raised; the message names the step, the reason and the log.
    """
    began = time.monotonic()
    done = threading.Event()
    threading.Thread(target=_heartbeat, args=(name, began, done), daemon=True).start()
    try:
        yield
    except StepFailed:
        raise
    except Exception as error:
        raise StepFailed(f"step '{name}' failed: {error}" + (f"\n  log: {log}" if log else "")) from error
    finally:
        done.set()
    say(f"[{_clock()}] {name}: {time.monotonic() - began:.1f} s")


def wait_for(what: str, condition: Callable[[], bool], seconds: float) -> None:
    """Poll a condition until it holds.

    Raises:
        TimeoutError: it did not hold in time; the message names what was awaited.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not happen in {seconds:.0f} s")
        time.sleep(0.2)


def _heartbeat(name: str, began: float, done: threading.Event) -> None:
    while not done.wait(HEARTBEAT_SECONDS):
        say(f"[{_clock()}]   {name} ... {time.monotonic() - began:.0f} s")


def _clock() -> str:
    elapsed = int(time.monotonic() - STARTED)
    return f"{elapsed // 60:2d}:{elapsed % 60:02d}"
