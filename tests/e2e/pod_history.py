"""Records every state that the pods of a namespace go through."""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from e2e.workbench import OWNED, Workbench, wait_until


@dataclass(frozen=True, slots=True)
class PodState:
    """A pod at one moment; leaving: it is being deleted, and finishes its requests."""

    pool: str
    phase: str
    ready: bool
    leaving: bool

    @property
    def serves(self) -> bool:
        """Whether the Services of its pool send it requests."""
        return self.ready and not self.leaving


Snapshot = dict[str, PodState]


class PodHistory:
    """The pods of a resource by name, anew after each event, between entering and leaving."""

    def __init__(self, bench: Workbench) -> None:
        self.snapshots: list[Snapshot] = []
        self._bench = bench
        self._log = Path(tempfile.mkstemp(suffix=".json")[1])

    def __enter__(self) -> Self:
        self.at_first = {pod["metadata"]["name"] for pod in self._bench.items("pods").values()}
        with self._log.open("w") as sink:
            self._watch = subprocess.Popen(self._command(), stdout=sink)
        wait_until("the watch having begun", lambda: self._log.stat().st_size > 0, 30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watch.terminate()
        self._watch.wait()
        pods: Snapshot = {}
        for event in _documents(self._log.read_text()):
            name = event["object"]["metadata"]["name"]
            pods.pop(name, None)
            if event["type"] != "DELETED":
                pods[name] = _state(event["object"])
            if self.snapshots or self.at_first <= pods.keys():
                self.snapshots.append(dict(pods))
        self._log.unlink()

    def of(self, pool: str) -> list[Snapshot]:
        """The snapshots, with the pods of one pool only."""
        return [{name: pod for name, pod in pods.items() if pod.pool == pool} for pods in self.snapshots]

    def pending_beside_running(self, pool: str) -> list[Snapshot]:
        """Moments at which one pod of a pool waited while another still ran."""
        return [pods for pods in self.of(pool) if {"Pending", "Running"} <= {pod.phase for pod in pods.values()}]

    def fewest_serving(self, pool: str) -> int:
        """How many pods of a pool served at its worst moment."""
        return min(sum(pod.serves for pod in pods.values()) for pods in self.of(pool))

    def replacing(self, pool: str) -> range:
        """The moments from the first change of a pool's pods until a new one serves; empty without a change."""
        pools = self.of(pool)
        changed = [n for n, pods in enumerate(pools) if pods.keys() != pools[0].keys() or _leaving(pods)]
        old = [n for n, pods in enumerate(pools) if _serving(pods) <= self.at_first]
        return range(changed[0], old[-1] + 1) if changed else range(0)

    def _command(self) -> list[str]:
        where = ["--kubeconfig", str(self._bench.target.kubeconfig), "--namespace", self._bench.namespace]
        what = ["get", "pods", "-l", OWNED, "--watch", "--output-watch-events", "-o", "json"]
        return [str(self._bench.target.tool("kubectl")), *where, *what]


def _leaving(pods: Snapshot) -> set[str]:
    return {name for name, pod in pods.items() if pod.leaving}


def _serving(pods: Snapshot) -> set[str]:
    return {name for name, pod in pods.items() if pod.serves}


def _state(pod: dict[str, Any]) -> PodState:
    conditions = pod["status"].get("conditions", [])
    return PodState(
        pool=pod["metadata"]["labels"]["kronos.dev/pool"],
        phase=pod["status"]["phase"],
        ready=any(each["type"] == "Ready" and each["status"] == "True" for each in conditions),
        leaving="deletionTimestamp" in pod["metadata"],
    )


def _documents(text: str) -> Iterator[dict[str, Any]]:
    """JSON documents that follow one another; the last may be cut off."""
    decoder, rest = json.JSONDecoder(), text.lstrip()
    while rest:
        try:
            document, length = decoder.raw_decode(rest)
        except json.JSONDecodeError:
            return
        yield document
        rest = rest[length:].lstrip()
