"""The demo checkpoint where the three sources look for it: behind a hub, on a volume, in an image."""

from pathlib import Path
from typing import Any

from e2e import fake_hub
from e2e.installed import server_image, weights_image
from e2e.workbench import Workbench

COMMIT = "1" * 40
CLAIM = "weights"
# On the node, in memory: gone with its next start.
_FOLDER = "/run/kronos-e2e/weights"
_PORT = 8080
_COPY = "import shutil; shutil.copytree('/weights', '/volume', dirs_exist_ok=True, copy_function=shutil.copy)"


def hub_model(owner: str, **fields: Any) -> dict[str, Any]:
    """A model of the hub, pinned."""
    tokenizer = {"name": f"{owner}/tokenizer", "revision": COMMIT}
    return {"name": f"{owner}/model", "revision": COMMIT, "tokenizer": tokenizer, **fields}


def claim_model(**fields: Any) -> dict[str, Any]:
    """A model on the volume that `provide_claim` fills."""
    where = {"claimName": CLAIM, "path": "small", "tokenizerPath": "small/tokenizer"}
    return {"name": "small", "source": {"persistentVolumeClaim": where}, **fields}


def image_model(bench: Workbench, **fields: Any) -> dict[str, Any]:
    """A model in an image."""
    image = {"reference": weights_image(bench.target), "pullPolicy": "IfNotPresent"}
    return {"name": "small", "source": {"image": image}, **fields}


def provide_hub(bench: Workbench) -> dict[str, str]:
    """Run a hub in the namespace; returns the variable that leads its client there."""
    script = Path(fake_hub.__file__).read_text()
    bench.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "hub"}, "data": {"hub.py": script}})
    folders = {"model": "/weights", "tokenizer": "/weights/tokenizer"}
    owners = ("public", "private", "broken")
    served = [f"{owner}/{name}={folder}" for owner in owners for name, folder in folders.items()]
    volume = {"name": "script", "configMap": {"name": "hub"}}
    bench.apply(
        _pod(
            bench,
            "hub",
            ["python", "/script/hub.py", str(_PORT), *served],
            [(volume, "/script")],
            readinessProbe={"tcpSocket": {"port": _PORT}, "periodSeconds": 1},
        )
    )
    spec = {"selector": {"app": "hub"}, "ports": [{"port": _PORT}]}
    bench.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "hub"}, "spec": spec})
    bench.kubectl("wait", "pod/hub", "--for=condition=Ready", "--timeout=60s")
    return {"name": "HF_ENDPOINT", "value": f"http://hub.{bench.namespace}:{_PORT}"}


def provide_claim(bench: Workbench) -> None:
    """Put the checkpoint on a volume of the node, and claim it."""
    name, size = bench.namespace, {"storage": "1Gi"}
    common = {"accessModes": ["ReadOnlyMany"], "storageClassName": ""}
    folder = {"hostPath": {"path": f"{_FOLDER}/small", "type": "DirectoryOrCreate"}}
    root = {"securityContext": {"runAsUser": 0}}
    bench.apply(_pod(bench, "copy", ["python", "-c", _COPY], [({"name": "volume", **folder}, "/volume")], **root))
    bench.kubectl("wait", "pod/copy", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s")
    volume = {"capacity": size, "hostPath": {"path": _FOLDER}, "claimRef": {"namespace": name, "name": CLAIM}}
    claim = {"resources": {"requests": size}, "volumeName": name}
    for kind, named, spec in (("PersistentVolume", name, volume), ("PersistentVolumeClaim", CLAIM, claim)):
        bench.apply({"apiVersion": "v1", "kind": kind, "metadata": {"name": named}, "spec": {**common, **spec}})


def forget_claim(bench: Workbench) -> None:
    """Remove the volume; the namespace takes the claim along."""
    bench.target.kubectl("delete", "persistentvolume", bench.namespace, "--wait=false")


def _pod(
    bench: Workbench, name: str, command: list[str], mounts: list[tuple[dict[str, Any], str]], **container: Any
) -> dict[str, Any]:
    """A pod of the server's image beside the weights' image."""
    weights = {"name": "weights", "image": {"reference": weights_image(bench.target), "pullPolicy": "IfNotPresent"}}
    volumes = [(weights, "/weights"), *mounts]
    main = {
        "name": name,
        "image": server_image(bench.target),
        "imagePullPolicy": "IfNotPresent",
        "command": command,
        "volumeMounts": [{"name": volume["name"], "mountPath": path} for volume, path in volumes],
        **container,
    }
    spec = {
        "containers": [main],
        "volumes": [volume for volume, _ in volumes],
        "restartPolicy": "OnFailure",
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec}
