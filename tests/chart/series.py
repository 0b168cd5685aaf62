"""The time series that the programs really show."""

from datetime import UTC, datetime

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from kronos_operator.api import Status, parse
from kronos_operator.metrics import Metrics as OperatorMetrics
from kronos_operator.observed import Observed
from kronos_operator.plan import plan
from kronos_operator.render import templates
from kronos_operator.settings import Settings
from kronos_operator.status import status
from kronos_server.metrics import Metrics as ServerMetrics

SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}
METADATA = {"name": "kronos", "namespace": "demo", "uid": "1", "generation": 1}
HYBRID = parse({"metadata": METADATA, "spec": {"cpu": {}, "gpu": {}}})


def first_status() -> Status:
    """What the operator says about a resource with both pools of which nothing is there yet."""
    nothing, now, settings = Observed(), datetime.now(UTC), Settings()
    return status(HYBRID, nothing, plan(HYBRID, templates(HYBRID, settings), nothing, now), settings, now)


def operator_families() -> list[Metric]:
    """What a leading operator shows, with one KronosDeployment to look after."""
    metrics = OperatorMetrics()
    metrics.watch_queue(lambda: 0, lambda: 0)
    metrics.watch_leadership(lambda: True)
    with metrics.reconcile():
        metrics.show(HYBRID, first_status())
    return list(text_string_to_metric_families(metrics.text().decode()))


def names(families: list[Metric]) -> set[str]:
    """The names of a list of families' series."""
    return {family.name + suffix for family in families for suffix in SUFFIXES.get(family.type, ())}


def served_names() -> set[str]:
    """The names of all series, of both programs."""
    return names(list(ServerMetrics().registry.collect())) | names(operator_families())


def operator_labels() -> set[str]:
    """The labels of the operator's series."""
    return {label for family in operator_families() for sample in family.samples for label in sample.labels}
