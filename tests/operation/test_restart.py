"""A restart that renders the same changes nothing."""

import time

import yaml

from cluster.layout import REPOSITORY
from cluster.plane import Plane
from cluster.progress import wait_for
from operation.desk import Desk
from running_operator import NO_LEASE, Installed, RunningOperator, is_write, running_operator

EXAMPLES = sorted(path for path in (REPOSITORY / "examples").glob("*.yaml"))
LOOKS = "kronos_operator_reconcile_seconds"
QUIET_SECONDS = 3


def test_a_restarted_operator_writes_nothing_and_every_object_keeps_its_version(
    plane: Plane, installed: Installed, desk: Desk
) -> None:
    specs = {path.stem: yaml.safe_load(path.read_text())["spec"] for path in EXAMPLES}
    for name, spec in specs.items():
        desk.declare(name, spec)
    only = {"KRONOS_OPERATOR_WATCH_NAMESPACES": desk.namespace}
    with running_operator(plane, installed, **NO_LEASE, **only) as first:
        wait_for("everything being reconciled", lambda: sorted(desk.reconciled()) == sorted(specs), 60)
        wait_until_quiet(first, looks=len(specs))
    before = desk.versions()
    assert {name.split("/")[0] for name in before} > {"KronosDeployment", "Deployment", "Service", "Ingress"}
    with running_operator(plane, installed, **NO_LEASE, **only) as second:
        wait_until_quiet(second, looks=len(specs))
        assert [entry["requestURI"] for entry in second.requests() if is_write(entry)] == []
    assert desk.versions() == before


def wait_until_quiet(operator: RunningOperator, looks: int) -> None:
    """Until it has looked at so many resources, nothing waits, and its last write is some time ago."""

    def is_quiet() -> bool:
        done = operator.metric(LOOKS, f"{LOOKS}_count") >= looks and operator.metric("kronos_operator_queue_depth") == 0
        written = len([entry for entry in operator.requests() if is_write(entry)])
        time.sleep(QUIET_SECONDS)
        return done and written == len([entry for entry in operator.requests() if is_write(entry)])

    wait_for("a quiet moment", is_quiet, 90)
