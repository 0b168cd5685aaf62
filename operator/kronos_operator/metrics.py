"""What Prometheus is told: how reconciling goes, how long the queue is, and the state of every resource."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest

from kronos_operator.api import Server, Status

TRUTHS = {"True": 1, "False": 0, "Unknown": -1}
Labels = tuple[str, ...]
RESOURCE = ("namespace", "name")


class Metrics:
    """The operator's collectors, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._reconciles = Histogram(
            "kronos_operator_reconcile_seconds", "Time of one reconcile.", ["result"], registry=self._registry
        )
        self._conditions = Gauge(
            "kronos_deployment_condition",
            "A condition of a KronosDeployment: 1 true, 0 false, -1 unknown.",
            [*RESOURCE, "type"],
            registry=self._registry,
        )
        self._told: dict[tuple[str, str], set[tuple[Gauge, *Labels]]] = {}
        self._pools = Gauge(
            "kronos_deployment_pool_pods", "Pods of a pool.", [*RESOURCE, "pool", "pods"], registry=self._registry
        )

    def watch_queue(self, depth: Callable[[], float], age: Callable[[], float]) -> None:
        """Tell how many keys wait, and for how long the first of them has."""
        Gauge("kronos_operator_queue_depth", "Keys that wait.", registry=self._registry).set_function(depth)
        Gauge(
            "kronos_operator_queue_age_seconds", "How long the first key has waited.", registry=self._registry
        ).set_function(age)

    def watch_leadership(self, leads: Callable[[], bool]) -> None:
        """Tell whether this operator leads."""
        Gauge("kronos_operator_leader", "Whether this operator leads.", registry=self._registry).set_function(leads)

    @contextmanager
    def reconcile(self) -> Iterator[None]:
        """Measure one reconcile, and count it as a success or an error."""
        begun, result = time.monotonic(), "error"
        try:
            yield
            result = "success"
        finally:
            self._reconciles.labels(result).observe(time.monotonic() - begun)

    def show(self, server: Server, status: Status) -> None:
        """Tell the conditions and counts of a resource, and nothing older of it."""
        told: dict[tuple[Gauge, *Labels], float] = {}
        for condition in status.conditions:
            told[self._conditions, condition.type] = TRUTHS[condition.status]
        for pool in status.pools:
            for pods, number in {"desired": pool.desired, "ready": pool.ready, "updated": pool.updated}.items():
                told[self._pools, pool.name, pods] = number
        self._tell((server.namespace, server.name), told)

    def forget(self, namespace: str, name: str) -> None:
        """Tell nothing of a resource any more."""
        self._tell((namespace, name), {})

    def _tell(self, key: tuple[str, str], values: dict[tuple[Gauge, *Labels], float]) -> None:
        for gauge, *labels in self._told.pop(key, set()) - set(values):
            gauge.remove(*key, *labels)
        for (gauge, *labels), value in values.items():
            gauge.labels(*key, *labels).set(value)
        if values:
            self._told[key] = set(values)

    def text(self) -> bytes:
        """All of it, in Prometheus' text format."""
        return generate_latest(self._registry)
