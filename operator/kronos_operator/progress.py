"""Reads off a live Deployment how far it has come.

Counts and the observed generation are facts; the Available condition is not: with one replica, maxUnavailable 1 and a
broken image, Kubernetes says Available=True with 0 available.
"""

from typing import NamedTuple

from kronos_operator.api import Manifest
from kronos_operator.identity import REVISION_LABEL


class Counts(NamedTuple):
    """Pods of a Deployment: wanted, ready, of the current template, and all of them."""

    desired: int
    ready: int
    updated: int
    total: int


def counts(deployment: Manifest) -> Counts:
    """The counts that the controller last wrote."""
    seen = deployment.get("status", {})
    desired = deployment["spec"].get("replicas", 1)
    return Counts(desired, seen.get("readyReplicas", 0), seen.get("updatedReplicas", 0), seen.get("replicas", 0))


def is_current(deployment: Manifest) -> bool:
    """Whether the controller has seen the latest spec."""
    return bool(deployment.get("status", {}).get("observedGeneration", 0) >= deployment["metadata"]["generation"])


def is_settled(deployment: Manifest) -> bool:
    """Whether all pods are there, ready and of the current template."""
    number = counts(deployment)
    return is_current(deployment) and number.ready == number.updated == number.total == number.desired


def is_rolling(deployment: Manifest) -> bool:
    """Whether old pods are still being replaced; that ends with the deadline, too."""
    number = counts(deployment)
    replaced = is_current(deployment) and number.updated == number.total == number.desired
    return not replaced and not is_late(deployment)


def is_late(deployment: Manifest) -> bool:
    """Whether the deadline of progress has passed."""
    conditions = deployment.get("status", {}).get("conditions") or ()
    return any(
        each["type"] == "Progressing" and each.get("reason") == "ProgressDeadlineExceeded" for each in conditions
    )


def running_digest(deployment: Manifest) -> str | None:
    """The digest of the template that the Deployment holds."""
    labels = deployment["spec"]["template"].get("metadata", {}).get("labels") or {}
    digest: str | None = labels.get(REVISION_LABEL)
    return digest
