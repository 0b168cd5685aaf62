"""What the installed operator was told: the images that its pools run."""

import json

from cluster.release import RELEASE
from cluster.target import Target


def server_image(target: Target) -> str:
    """The server's image for CPU pools."""
    return _settings(target)["KRONOS_OPERATOR_CPU_IMAGE"]


def weights_image(target: Target) -> str:
    """The image with the weights of the default model."""
    source = json.loads(_settings(target)["KRONOS_OPERATOR_DEFAULT_MODEL"])["source"]
    reference: str = source["image"]["reference"]
    return reference


def _settings(target: Target) -> dict[str, str]:
    selector = f"app.kubernetes.io/instance={RELEASE},app.kubernetes.io/component=operator"
    (operator,) = target.read("deployments", "-l", selector)["items"]
    (container,) = operator["spec"]["template"]["spec"]["containers"]
    return {each["name"]: each.get("value", "") for each in container["env"]}
