"""Devices: what `KRONOS_DEVICE` asks for, what is there, and what is wrong with the difference."""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from kronos_server.errors import DeviceUnavailable, StartFailed

CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Found:
    """What the machine has besides its processor."""

    cuda: int = 0
    mps: bool = False

    @property
    def names(self) -> list[str]:
        """Every device by name."""
        return ["cpu", *(f"cuda:{index}" for index in range(self.cuda)), *(["mps"] if self.mps else [])]


@dataclass(frozen=True)
class Devices:
    """The devices to compute on, one engine each, and a warning where they are not what was named."""

    names: tuple[str, ...]
    warning: str | None = None

    @property
    def pool(self) -> str:
        """The pool that these devices belong to unless the settings say otherwise."""
        return "cpu" if self.names[0] == "cpu" else "gpu"


def choose(wish: str, fallback: str = "") -> Devices:
    """The devices that `wish` names; looks for accelerators only where it asks for one. Raises `StartFailed`."""
    found = Found() if set(_parts(wish)) == {"cpu"} else _find()
    return resolve(wish, found, fallback)


def resolve(wish: str, found: Found, fallback: str = "") -> Devices:
    """The devices that a wish names on a machine. Raises `StartFailed`."""
    names = [name for part in _parts(wish) for name in _expand(part, found)]
    missing = [name for name in names if name not in found.names]
    if not missing:
        return Devices(tuple(names))
    complaint = f"KRONOS_DEVICE names {', '.join(missing)}, but this machine has {', '.join(found.names)}"
    if fallback == "cpu":
        return Devices(("cpu",), f"{complaint}; computing on cpu instead")
    raise DeviceUnavailable(complaint)


def _parts(wish: str) -> list[str]:
    return [part.strip().lower() for part in wish.split(",")]


def _expand(part: str, found: Found) -> list[str]:
    if part in ("cpu", "mps"):
        return [part]
    if part == "auto":
        return ["cuda:0"] if found.cuda else ["mps"] if found.mps else ["cpu"]
    if part == "cuda":
        return ["cuda:0"]
    if part == "cuda:all":
        return [f"cuda:{index}" for index in range(max(found.cuda, 1))]
    if part.startswith("cuda:") and part[5:].isdecimal():
        return [f"cuda:{int(part[5:])}"]
    raise StartFailed(f"KRONOS_DEVICE holds {part!r}: say cpu, cuda, cuda:N, cuda:all, mps, auto, or a list of them")


def _find() -> Found:
    """Looks in a process of its own: asking loads the tensor library, which the asking process must stay free of."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_probe).result()


def _probe() -> Found:
    import torch

    cuda = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return Found(cuda, torch.backends.mps.is_available())


def thread_count(setting: int, engines: int) -> int:
    """Threads of one engine: the setting, else the processor quota of this container shared by the engines."""
    return setting or max(1, int(processors()) // engines)


def processors() -> float:
    """Processors this process may use: its cgroup's quota (cgroup v2, `cpu.max`), at most those it may run on."""
    allowed = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    try:
        quota, period = (CGROUP / "cpu.max").read_text().split()
    except (OSError, ValueError):
        return allowed
    return allowed if quota == "max" else min(allowed, int(quota) / int(period))
