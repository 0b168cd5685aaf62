"""Runs commands to their end, and daemons in sessions of their own that are stopped by their pid."""

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from cluster.layout import NAME, layout
from cluster.progress import StepFailed, wait_for

# `ip netns exec` would remount /sys and hide the cgroups from the kubelet; nsenter leaves it alone.
IN_NETWORK = ["nsenter", f"--net=/var/run/netns/{NAME}"]
STOP_SECONDS = 15.0


def run(
    *command: str | Path, log: Path | None = None, cwd: Path | None = None, env: dict[str, str] | None = None
) -> str:
    """Run a command and return what it printed.

    Raises:
        StepFailed: it exited with an error; the message holds the end of its output.
    """
    words = [str(word) for word in command]
    merged = {**os.environ, **(env or {})}
    if log is None:
        done = subprocess.run(words, cwd=cwd, env=merged, text=True, capture_output=True, check=False)
        output, tail = done.stdout, done.stdout[-1500:] + done.stderr[-1500:]
    else:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w") as sink:
            done = subprocess.run(words, cwd=cwd, env=merged, text=True, stdout=sink, stderr=sink, check=False)
        output = log.read_text(errors="replace")
        tail = output[-1500:]
    if done.returncode:
        where = f"\n  log: {log}" if log else ""
        raise StepFailed(f"`{shlex.join(words)}` exited with {done.returncode}:\n{tail.strip()}{where}")
    return output


def run_shown(*command: str | Path) -> None:
    """Run a command that shows its own progress.

    Raises:
        StepFailed: it exited with an error, which it has explained itself.
    """
    words = [str(word) for word in command]
    if subprocess.run(words, check=False).returncode:
        raise StepFailed(f"`{shlex.join(words)}` failed: see above")


def pipe(producer: Sequence[str | Path], consumer: Sequence[str | Path]) -> None:
    """Stream what one command prints into another.

    Raises:
        StepFailed: either exited with an error.
    """
    with subprocess.Popen([str(word) for word in producer], stdout=subprocess.PIPE) as source:
        done = subprocess.run(
            [str(word) for word in consumer], stdin=source.stdout, capture_output=True, text=True, check=False
        )
    if source.returncode or done.returncode:
        raise StepFailed(f"`{producer[0]} | {shlex.join(map(str, consumer))}` failed:\n{done.stderr[-1500:]}")


def succeeds(*command: str | Path) -> bool:
    words = [str(word) for word in command]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


def start(name: str, *command: str | Path, env: dict[str, str] | None = None) -> None:
    """Start a daemon of the cluster inside its network namespace, unless it already runs.

    It becomes a child of init: Envoy ends itself when the process that started it ends.
    """
    if running(name):
        return
    pid_file = _pid_file(name)
    pid_file.unlink(missing_ok=True)
    record = ["setsid", "--fork", "sh", "-c", 'echo $$ > "$0.part" && mv "$0.part" "$0" && exec "$@"', str(pid_file)]
    with (layout().logs / f"{name}.log").open("ab") as sink:
        subprocess.run(
            [*record, *IN_NETWORK, *(str(word) for word in command)],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            env={**os.environ, **(env or {})},
            check=True,
        )
    wait_for(f"{name} being started", pid_file.exists, 10)
    pid = int(pid_file.read_text())
    pid_file.write_text(f"{pid} {_start_time(pid)}")


def running(name: str) -> bool:
    return _live_pid(name) is not None


def require_running(name: str) -> None:
    """Raises StepFailed with the end of its log when a daemon has ended by itself."""
    if not running(name):
        log = layout().logs / f"{name}.log"
        raise StepFailed(f"{name} ended by itself:\n{log.read_text(errors='replace')[-1000:]}\n  log: {log}")


def stop(name: str, sig: signal.Signals = signal.SIGTERM) -> None:
    """Stop a daemon by its recorded pid; SIGKILL when it does not leave in time."""
    pid = _live_pid(name)
    if pid is not None:
        os.kill(pid, sig)
        deadline = time.monotonic() + STOP_SECONDS
        while _live_pid(name) is not None:
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
                deadline = time.monotonic() + STOP_SECONDS
            time.sleep(0.05)
    _pid_file(name).unlink(missing_ok=True)


def programs_of(folder: Path) -> list[int]:
    """Pids of all processes whose program file lies below a folder, and that run in another network than this one.

    A test's own control plane runs in the network of the test.
    """
    found = []
    here = os.readlink("/proc/self/ns/net")
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                program, network = os.readlink(entry / "exe"), os.readlink(entry / "ns" / "net")
            except OSError:  # it ended, or is a kernel thread
                continue
            if program.removesuffix(" (deleted)").startswith(f"{folder}/") and network != here:
                found.append(int(entry.name))
    return found


def kill(pids: list[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def _pid_file(name: str) -> Path:
    return layout().pids / name


def _live_pid(name: str) -> int | None:
    """The recorded pid, if that very process still runs: pids are used again after a restart."""
    try:
        pid, started = _pid_file(name).read_text().split()
    except (FileNotFoundError, ValueError):
        return None
    return int(pid) if _start_time(int(pid)) == started else None


def _start_time(pid: int) -> str:
    """Clock ticks from boot to the start of a process (proc(5), field 22); empty when it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if fields[0] == "Z" else fields[19]
