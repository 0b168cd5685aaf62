"""Finds the root cause of a pool that is not ready: checks in the order in which causes hide each other."""

from kronos_operator.diagnosis.facts import Cause, Check, Facts
from kronos_operator.diagnosis.pods import (
    crash_loop,
    device_unavailable,
    image_pull,
    model_fetch,
    model_invalid,
    out_of_memory,
    probe_failing,
    secret_missing,
    volume_not_ready,
)
from kronos_operator.diagnosis.scheduling import (
    insufficient_gpu,
    pod_security,
    pods_refused,
    progress_deadline,
    quota,
    runtime_class,
    unbound_volume,
    unschedulable,
    waiting_for_drain,
)

__all__ = ["CHECKS", "Cause", "Facts", "root_cause"]

CHECKS: tuple[Check, ...] = (
    quota,
    pod_security,
    runtime_class,
    pods_refused,
    waiting_for_drain,
    insufficient_gpu,
    unbound_volume,
    unschedulable,
    volume_not_ready,
    secret_missing,
    image_pull,
    model_fetch,
    model_invalid,
    device_unavailable,
    out_of_memory,
    crash_loop,
    probe_failing,
    progress_deadline,
)


def root_cause(facts: Facts) -> Cause | None:
    """The first cause that applies, if any does: without one, the pool only needs time."""
    return next((cause for check in CHECKS if (cause := check(facts)) is not None), None)
