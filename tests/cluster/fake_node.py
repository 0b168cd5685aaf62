"""A node that is not there: kwok says that it and its pods are ready, and nothing runs."""

from typing import Any

from cluster.binaries import go_module_folder, program
from cluster.control_plane import Command
from cluster.layout import Site

NODE_LABELS = {"kubernetes.io/hostname": "fake", "nvidia.com/gpu.present": "true"}
STAGES = [
    "node/fast/node-initialize",
    "node/heartbeat-with-lease/node-heartbeat-with-lease",
    "pod/fast/pod-ready",
    "pod/fast/pod-complete",
    "pod/fast/pod-delete",
]


def kwok(site: Site) -> Command:
    """Plays every node; pods are ready as soon as they have one."""
    stages = go_module_folder("kwok", "sigs.k8s.io/kwok") / "kustomize" / "stage"
    return [
        program("kwok"),
        f"--kubeconfig={site.files.kubeconfig}",
        "--manage-all-nodes",
        "--node-lease-duration-seconds=40",
        "--cidr=10.0.0.0/16",
        *(f"--config={stages / name}.yaml" for name in STAGES),
    ]


def fake_node() -> dict[str, Any]:
    """A node with room for every pod."""
    room = {"cpu": "100000", "memory": "1000Ti", "pods": "100000", "nvidia.com/gpu": "100000"}
    status = {"capacity": room, "allocatable": room}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "fake", "labels": NODE_LABELS}, "status": status}
