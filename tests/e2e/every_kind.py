"""A resource that owns something of every kind, but for the revisions of a template that has worked."""

from typing import Any

from e2e.workbench import NAME, NOWHERE, idle_pools
from kronos_operator.kinds import OWNED

# As kubectl asks for them.
KINDS = ",".join(f"{kind.plural}.{kind.group}".rstrip(".") for kind in OWNED)
METRICS = [{"type": "External", "external": {"metric": {"name": "queue"}, "target": {"type": "Value", "value": "5"}}}]
AUTOSCALING = {"minReplicas": 2, "maxReplicas": 4, "metrics": METRICS}


def every_kind(**cpu: Any) -> dict[str, Any]:
    """A spec whose GPU pods are never scheduled; cpu: fields of the CPU pool, which else is like that, too."""
    idle = idle_pools(cpu=2)
    return {
        "cpu": cpu or idle["cpu"],
        "gpu": {"nodeSelector": NOWHERE, "autoscaling": AUTOSCALING},
        "ingress": {"hosts": [f"{NAME}.example.com"]},
        "gateway": {"parentRefs": [{"name": "absent"}]},
    }
