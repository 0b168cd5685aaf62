"""Measures the operator at scale: `python -m benchmarks.scale`, on a control plane of its own.

etcd, API server, Kubernetes' controllers and scheduler are real; kwok plays the node, so that pods become ready and
nothing runs in them. They share the machine with the operator, so their own work is part of every figure.
"""

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil

from cluster.plane import Plane, control_plane
from cluster.progress import say
from kronos_operator.cluster import Key
from kronos_operator.kinds import DEPLOYMENT, RESOURCE
from running_operator import Installed, RunningOperator, install_rights, is_write, running_operator

COLD_SECONDS, EDIT_SECONDS, MEGABYTES = 90, 1.0, 250
LIMIT_SECONDS = 600


def main() -> int:
    """Prints what was measured; the exit status says whether every target was met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resources", type=int, default=500, help="KronosDeployments")
    parser.add_argument("--namespaces", type=int, default=1, help="namespaces that they are spread over")
    parser.add_argument("--edits", type=int, default=100, help="edits in each of the two rows")
    parser.add_argument("--idle", type=float, default=300, help="seconds without a write")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, control_plane(Path(name), nodes=True) as plane:
        installed = install_rights(plane, Path(name))
        keys = [Key(f"desk-{number % options.namespaces}", f"kronos-{number}") for number in range(options.resources)]
        say(f"creating {len(keys)} KronosDeployments in {options.namespaces} namespaces")
        create(plane, keys)
        return Measurement(plane, installed, keys).run(options.edits, options.idle)


def create(plane: Plane, keys: Sequence[Key]) -> None:
    """Declare them, each with one CPU pool."""
    for namespace in sorted({key.namespace for key in keys}):
        plane.create_namespace(namespace)

    def declare(key: Key) -> None:
        body = {"apiVersion": RESOURCE.api_version, "kind": RESOURCE.name, "metadata": {"name": key.name}}
        plane.send("POST", RESOURCE.path(key.namespace), body | {"spec": {"cpu": {}}})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(declare, keys))


class Measurement:
    """All rows, on one control plane."""

    def __init__(self, plane: Plane, installed: Installed, keys: Sequence[Key]) -> None:
        self.plane = plane
        self.installed = installed
        self.keys = keys
        self.good = True

    def run(self, edits: int, idle: float) -> int:
        """A cold start with edits during it, then edits one by one, idleness, and a restart."""
        deployments = Arrivals(self.plane)
        with running_operator(self.plane, self.installed) as operator:
            latencies = self._cold_start(operator, deployments, edits)
            self._say_latencies("edits during the cold start", latencies, None)
            self._wait_settled(operator)
            latencies = [deployments.seconds(self._edit(key, "9")) for key in spread(self.keys, edits)]
            self._say_latencies("edits", latencies, EDIT_SECONDS)
            self._wait_settled(operator)
            self._idle(operator, idle)
            self._memory(operator)
        self._restart()
        return 0 if self.good else 1

    def _cold_start(self, operator: RunningOperator, deployments: "Arrivals", edits: int) -> list[float]:
        began = time.perf_counter()
        done = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            editing = pool.submit(self._edit_until, done, deployments, edits)
            for seconds in ticking(began):
                reconciled, ready = self._progress()
                say(f"  {seconds:4.0f} s: {reconciled} reconciled, {ready} ready, queue {depth(operator):.0f}")
                if reconciled == len(self.keys):
                    break
            self._say("cold start, all reconciled", f"{seconds:.0f} s", COLD_SECONDS, seconds)
            done.set()
            latencies = editing.result()
        until_ready = next(passed for passed in ticking(began) if self._progress()[1] == len(self.keys))
        self._say("cold start, all ready", f"{until_ready:.0f} s")
        return latencies

    def _edit_until(self, done: threading.Event, deployments: "Arrivals", edits: int) -> list[float]:
        latencies = []
        for key in spread(self.keys, edits):
            if done.wait(0.3):
                break
            latencies.append(deployments.seconds(self._edit(key, "7")))
        return latencies

    def _edit(self, key: Key, drain: str) -> tuple[Key, str, float]:
        self.plane.patch(RESOURCE.path(*key), {"spec": {"server": {"drainSeconds": int(drain)}}})
        return key, drain, time.perf_counter()

    def _progress(self) -> tuple[int, int]:
        """How many resources were reconciled at their present generation, and how many of them are ready."""
        found = self.plane.items(RESOURCE.path(None))
        current = [
            item["status"]
            for item in found
            if item["status"].get("observedGeneration") == item["metadata"]["generation"]
        ]
        ready = [
            status
            for status in current
            if any(c["type"] == "Ready" and c["status"] == "True" for c in status["conditions"])
        ]
        return len(current), len(ready)

    def _wait_settled(self, operator: RunningOperator) -> None:
        """Until everything is ready and nothing was reconciled for 5 s."""
        before, since = -1.0, time.perf_counter()
        for _ in ticking(time.perf_counter()):
            now = operator.metric("kronos_operator_reconcile_seconds", "kronos_operator_reconcile_seconds_count")
            if now != before:
                before, since = now, time.perf_counter()
            elif time.perf_counter() - since > 5 and self._progress()[1] == len(self.keys):
                return

    def _idle(self, operator: RunningOperator, seconds: float) -> None:
        began, busy = len(self._writes()), processor_seconds(operator)
        for passed in ticking(time.perf_counter(), 15):
            say(f"  idle for {passed:.0f} of {seconds:.0f} s")
            if passed >= seconds:
                break
        share = (processor_seconds(operator) - busy) / passed
        written = self._writes()[began:]
        self._say(f"writes in {passed:.0f} idle seconds", str(len(written)), 0, len(written))
        self._say("processor while idle", f"{share:.1%} of one core")
        for entry in written[:5]:
            say(f"    {entry['verb']} {entry['requestURI']}")

    def _memory(self, operator: RunningOperator) -> None:
        status = dict(
            line.split(":", 1) for line in Path(f"/proc/{operator.process.pid}/status").read_text().splitlines()
        )
        now, peak = (int(status[name].split()[0]) // 1024 for name in ("VmRSS", "VmHWM"))
        self._say("memory, at most", f"{peak} MB, now {now} MB", MEGABYTES, peak)

    def _restart(self) -> None:
        """A new operator finds everything as it would make it."""
        written, began = len(self._writes()), time.perf_counter()
        with running_operator(self.plane, self.installed) as operator:
            self._wait_settled(operator)
            again = self._writes()[written:]
            looks = operator.metric("kronos_operator_reconcile_seconds", "kronos_operator_reconcile_seconds_count")
        self._say("restart, all looked at", f"{time.perf_counter() - began - 5:.0f} s, {looks:.0f} looks")
        self._say("writes after the restart", str(len(again)), 0, len(again))

    def _writes(self) -> list[dict[str, Any]]:
        """What operators wrote, apart from their Lease."""
        return [
            entry
            for entry in self.plane.audit()
            if entry["user"]["username"] == self.installed.user and is_write(entry)
        ]

    def _say_latencies(self, name: str, seconds: list[float], limit: float | None) -> None:
        half, most = quantile(seconds, 0.5), quantile(seconds, 0.95)
        self._say(f"{name} ({len(seconds)}), p95", f"{most:.2f} s, p50 {half:.2f} s", limit, most)

    def _say(self, name: str, figure: str, limit: float | None = None, value: float = 0) -> None:
        verdict = ""
        if limit is not None:
            self.good &= value <= limit
            verdict = f"  (at most {limit:g}: {'met' if value <= limit else 'MISSED'})"
        sys.stdout.write(f"{name}: {figure}{verdict}\n")
        sys.stdout.flush()


class Arrivals:
    """Notes when Deployments get which drain time, from a watch."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._seen: dict[tuple[Key, str], float] = {}
        self._news = threading.Condition()
        threading.Thread(target=self._watch, daemon=True).start()

    def seconds(self, edit: tuple[Key, str, float]) -> float:
        """How long after an edit its Deployment had the new value."""
        key, drain, edited = edit
        with self._news:
            self._news.wait_for(lambda: (key, drain) in self._seen, LIMIT_SECONDS)
            return max(0.0, self._seen[key, drain] - edited)

    def _watch(self) -> None:
        try:
            with self._plane.client.stream(
                "GET", DEPLOYMENT.path(None), params={"watch": "true"}, timeout=None
            ) as events:
                for line in events.iter_lines():
                    self._note(json.loads(line)["object"])
        except httpx.TransportError:  # the control plane has ended
            return

    def _note(self, deployment: dict[str, Any]) -> None:
        now = time.perf_counter()
        metadata = deployment["metadata"]
        key = Key(metadata["namespace"], metadata["labels"]["kronos.dev/deployment"])
        [container] = deployment["spec"]["template"]["spec"]["containers"]
        [drain] = [each["value"] for each in container["env"] if each["name"] == "KRONOS_DRAIN_SECONDS"]
        with self._news:
            self._seen.setdefault((key, drain), now)
            self._news.notify_all()


def spread(keys: Sequence[Key], count: int) -> list[Key]:
    """So many of them, in even steps."""
    return [keys[number * len(keys) // count] for number in range(count)]


def ticking(began: float, step: float = 2) -> Iterator[float]:
    """The seconds since then, every so often.

    Raises:
        TimeoutError: it went on for too long.
    """
    while (passed := time.perf_counter() - began) < LIMIT_SECONDS:
        yield passed
        time.sleep(step)
    raise TimeoutError(f"not in {LIMIT_SECONDS} s")


def depth(operator: RunningOperator) -> float:
    return operator.metric("kronos_operator_queue_depth")


def processor_seconds(operator: RunningOperator) -> float:
    times = psutil.Process(operator.process.pid).cpu_times()
    return float(times.user + times.system)


def quantile(values: Sequence[float], level: float) -> float:
    """The smallest value that so many do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(level * len(ordered)))]


if __name__ == "__main__":
    sys.exit(main())
