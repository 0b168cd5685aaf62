"""Installs metrics-server, which tells HorizontalPodAutoscalers what pods use: a fresh cluster has none."""

import shutil
from typing import Any

import yaml

from cluster.binaries import go_module_folder, program
from cluster.images import Image, build_image
from cluster.layout import BUILD
from cluster.processes import succeeds
from cluster.progress import StepFailed, step
from cluster.target import Target

API = "v1beta1.metrics.k8s.io"
_RECIPE = 'FROM scratch\nCOPY metrics-server /metrics-server\nENTRYPOINT ["/metrics-server"]\n'
# A kubelet's own certificate is signed by nobody else; 10 s is the shortest resolution, and a request must be shorter.
_ARGUMENTS = ["--kubelet-insecure-tls", "--metric-resolution=10s", "--kubelet-request-timeout=5s"]


def require_metrics_server(target: Target) -> None:
    """Install metrics-server where the cluster is ours, and wait until it answers.

    Raises:
        StepFailed: one's own cluster has none, or it does not answer.
    """
    if target.kind:
        _install(target)
    elif not succeeds(target.tool("kubectl"), "--kubeconfig", target.kubeconfig, "get", "apiservice", API):
        raise StepFailed("HorizontalPodAutoscalers read what pods use from metrics-server: install it in your cluster")
    target.kubectl("wait", f"apiservice/{API}", "--for=condition=Available", "--timeout=120s")


def _install(target: Target) -> None:
    image = _image()
    build_image(image)
    target.load(image)
    base = go_module_folder("metrics-server", "sigs.k8s.io/metrics-server") / "manifests" / "base"
    manifests = list(yaml.safe_load_all(target.kubectl("kustomize", base)))
    path = BUILD / "metrics-server.yaml"
    path.write_text(yaml.safe_dump_all([_adapted(manifest, image) for manifest in manifests]))
    with step("install metrics-server"):
        target.kubectl("apply", "--server-side", "-f", path)


def _image() -> Image:
    """Our build of it alone in an image; its own stands in a registry that not every network reaches."""
    folder = BUILD / "metrics-server"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(program("metrics-server"), folder / "metrics-server")
    (folder / "Dockerfile").write_text(_RECIPE)
    return Image("metrics-server", folder, ("Dockerfile", "metrics-server"))


def _adapted(manifest: dict[str, Any], image: Image) -> dict[str, Any]:
    """Its own manifest with our image, for kubelets without a certificate of the cluster's authority."""
    if manifest["kind"] == "Deployment":
        (container,) = manifest["spec"]["template"]["spec"]["containers"]
        ours = {argument.partition("=")[0] for argument in _ARGUMENTS}
        kept = [argument for argument in container["args"] if argument.partition("=")[0] not in ours]
        container |= {"image": image.reference, "args": [*kept, *_ARGUMENTS]}
        container["readinessProbe"] |= {"initialDelaySeconds": 1, "periodSeconds": 2}
    return manifest
