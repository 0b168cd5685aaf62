"""Installs the operator on a cluster with Helm: the images of this tree, the demo checkpoint, simulated GPUs."""

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

from cluster.binaries import install_debian_packages
from cluster.images import ALL, OPERATOR, SERVER, WEIGHTS, Image, build_image
from cluster.layout import BUILD, REPOSITORY
from cluster.progress import step
from cluster.target import LOCAL_KIND, Target

CHART = REPOSITORY / "charts" / "kronos"
RELEASE = "kronos"
HELM_TIMEOUT = "180s"


def prepare(target: Target) -> None:
    """Bring the cluster up while the images are built and, on the local node, loaded."""
    if target.kind == LOCAL_KIND:
        install_debian_packages()
    target.clear_leftovers()
    up = Event()
    with ThreadPoolExecutor(1) as pool:
        loaded = pool.submit(_provide_images, target, up)
        try:
            target.bring_up()
        finally:
            up.set()
        loaded.result()


def install(target: Target) -> None:
    """Install or upgrade the release in the kubeconfig's namespace, and wait for the operator."""
    path = BUILD / "demo-values.json"
    path.write_text(json.dumps(values(), indent=1))
    with step("helm upgrade --install kronos charts/kronos"):
        target.helm("upgrade", "--install", RELEASE, CHART, "--values", path, "--timeout", HELM_TIMEOUT)
        operator = f"app.kubernetes.io/instance={RELEASE},app.kubernetes.io/component=operator"
        target.kubectl("rollout", "status", "deployment", "-l", operator, "--timeout=120s")


def values() -> dict[str, Any]:
    """What differs from the chart's defaults: our images, weights that need no network, and GPUs without a device."""
    return {
        # One node holds everything: a second operator would be lost with the first.
        "operator": {"image": _reference(OPERATOR), "replicas": 1},
        "server": {"images": {"cpu": _reference(SERVER), "gpu": _reference(SERVER)}},
        "defaultModel": {
            "name": "kronos-demo",
            "source": {"image": {"reference": WEIGHTS.reference, "pullPolicy": "IfNotPresent"}},
        },
        "testing": {"gpuDevice": "cpu"},
        "kronosDeployment": {"spec": {"cpu": {"resources": {"requests": {"cpu": "250m", "memory": "512Mi"}}}}},
    }


def _provide_images(target: Target, up: Event) -> None:
    for image in ALL:
        build_image(image)
    while not (target.takes_images() or up.wait(1)):
        continue
    for image in ALL:
        target.load(image)


def _reference(image: Image) -> dict[str, str]:
    return {"repository": image.repository, "tag": image.tag}
