"""The cluster that the demo and the tests run on: one's own, kind's, or the local one."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster import runtime
from cluster.binaries import program
from cluster.images import Image, docker
from cluster.layout import BUILD, INGRESS_URL, NAME
from cluster.processes import run, run_shown, succeeds
from cluster.progress import StepFailed

# Speaks the verbs of kind that are used here and by pytest-kind, over the local node.
LOCAL_KIND = Path(__file__).resolve().parent / "kind"
GPUS = 4


@dataclass(frozen=True)
class Target:
    """A Kubernetes cluster: `kind` is the command that makes it, or None when it is the user's own."""

    kubeconfig: Path
    kind: Path | None

    def bring_up(self) -> None:
        """Make the cluster, or keep the one that runs.

        Raises:
            StepFailed: it cannot be made, or one's own does not answer.
        """
        if self.kind:
            BUILD.mkdir(exist_ok=True)
            if NAME not in run(self.kind, "get", "clusters").split():
                run_shown(self.kind, "create", "cluster", "--name", NAME, "--kubeconfig", self.kubeconfig)
            elif not self.kubeconfig.exists():  # another clone made the cluster
                run_shown(self.kind, "export", "kubeconfig", "--name", NAME, "--kubeconfig", self.kubeconfig)
            self._advertise_gpus()
        elif not succeeds(self.tool("kubectl"), "--kubeconfig", self.kubeconfig, "version"):
            raise StepFailed(f"the cluster of KUBECONFIG={self.kubeconfig} does not answer")

    def clear_leftovers(self) -> None:
        """Remove what a local cluster left that did not come up whole, or was killed."""
        if self.kind == LOCAL_KIND and NAME not in run(self.kind, "get", "clusters").split():
            run_shown(self.kind, "delete", "cluster", "--name", NAME)

    def takes_images(self) -> bool:
        """Whether images can be loaded although the cluster is not up yet."""
        return self.kind == LOCAL_KIND and runtime.answers()

    def load(self, image: Image) -> None:
        """Make a built image known to the nodes; one's own cluster pulls it from KRONOS_REGISTRY."""
        if self.kind:
            run_shown(self.kind, "load", "docker-image", "--name", NAME, image.reference)

    def tool(self, name: str) -> Path:
        """kubectl or helm: the one on PATH for a cluster of others, else the one that fits the local node."""
        found = None if self.kind == LOCAL_KIND else shutil.which(name)
        return Path(found) if found else program(name)

    def kubectl(self, *arguments: str | Path) -> str:
        return run(self.tool("kubectl"), "--kubeconfig", self.kubeconfig, *arguments)

    def read(self, *arguments: str) -> Any:
        """What `kubectl get` finds, as parsed JSON."""
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def helm(self, *arguments: str | Path) -> str:
        return run(self.tool("helm"), "--kubeconfig", self.kubeconfig, *arguments)

    def ingress_url(self, ingress: str) -> str:
        """URL of the Ingress controller, from KRONOS_INGRESS_URL or an Ingress's status, without a slash at its end.

        Raises:
            StepFailed: neither says where it is.
        """
        if self.kind == LOCAL_KIND:
            return INGRESS_URL
        if url := os.environ.get("KRONOS_INGRESS_URL"):
            return url.rstrip("/")
        for address in self.read("ingress", ingress)["status"].get("loadBalancer", {}).get("ingress", []):
            return f"http://{address.get('hostname') or address['ip']}"
        raise StepFailed(
            f"Ingress {ingress} has no address: install an Ingress controller, or set KRONOS_INGRESS_URL to yours"
        )

    def _advertise_gpus(self) -> None:
        """Let the nodes claim GPUs: the scheduler places by them, and containers see no device."""
        capacity = json.dumps({"status": {"capacity": {"nvidia.com/gpu": str(GPUS)}}})
        for node in self.kubectl("get", "nodes", "-o", "name").split():
            self.kubectl("patch", node, "--subresource=status", "--type=merge", "-p", capacity)
            self.kubectl("label", node, "--overwrite", "nvidia.com/gpu.present=true")


def choose_target() -> Target:
    """One's own cluster when asked for, kind where Docker is, else the local one."""
    if os.environ.get("KRONOS_USE_CLUSTER") == "1":
        return Target(Path(os.environ.get("KUBECONFIG", Path.home() / ".kube" / "config")), None)
    kind = shutil.which("kind")
    return Target(BUILD / "kubeconfig", Path(kind) if kind and docker() else LOCAL_KIND)
