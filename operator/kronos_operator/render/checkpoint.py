"""How a pod gets its weights: volumes, mounts and the variables that name them."""

from dataclasses import dataclass

from kronos_operator.api import Manifest
from kronos_operator.api.model import ClaimSource, ImageSource, Model, ModelSource

MODEL_ROOT = "/models"
# The hub's cache needs a writable folder; the root file system is read-only.
HUB_CACHE = "/tmp/hf"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The parts of a pod that concern its weights."""

    variables: tuple[Manifest, ...]
    volumes: tuple[Manifest, ...] = ()
    mounts: tuple[Manifest, ...] = ()


def checkpoint(model: Model) -> Checkpoint:
    """The checkpoint of a model, wherever its files come from."""
    source = model.source or ModelSource()
    if source.image:
        return _from_image(model, source.image)
    if source.persistent_volume_claim:
        return _from_claim(model, source.persistent_volume_claim)
    return _from_hub(model, source)


def _from_image(model: Model, image: ImageSource) -> Checkpoint:
    pull = {"pullPolicy": image.pull_policy} if image.pull_policy else {}
    return Checkpoint(
        variables=_named(model, model.name, f"{model.name}/tokenizer"),
        volumes=({"name": "model", "image": {"reference": image.reference, **pull}},),
        mounts=({"name": "model", "mountPath": f"{MODEL_ROOT}/{model.name}", "readOnly": True},),
    )


def _from_claim(model: Model, claim: ClaimSource) -> Checkpoint:
    volume = {"claimName": claim.claim_name, "readOnly": True}
    return Checkpoint(
        variables=_named(model, claim.path, claim.tokenizer_path),
        volumes=({"name": "model", "persistentVolumeClaim": volume},),
        mounts=({"name": "model", "mountPath": MODEL_ROOT, "readOnly": True},),
    )


def _from_hub(model: Model, source: ModelSource) -> Checkpoint:
    tokenizer = model.tokenizer
    variables = [*_named(model, model.name, tokenizer.name if tokenizer else "")]
    variables.append({"name": "KRONOS_MODEL_REVISION", "value": model.revision})
    variables.append({"name": "KRONOS_TOKENIZER_REVISION", "value": tokenizer.revision if tokenizer else None})
    variables.append({"name": "HF_HOME", "value": HUB_CACHE})
    if source.hugging_face and source.hugging_face.token_secret_name:
        key = {"name": source.hugging_face.token_secret_name, "key": "token"}
        variables.append({"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": key}})
    return Checkpoint(variables=tuple(variables))


def _named(model: Model, model_id: str, tokenizer_id: str) -> tuple[Manifest, ...]:
    values = {
        "KRONOS_MODEL_PATH": MODEL_ROOT,
        "KRONOS_MODEL_ID": model_id,
        "KRONOS_TOKENIZER_ID": tokenizer_id,
        "KRONOS_MAX_CONTEXT": str(model.max_context),
    }
    if model.sha256:
        values["KRONOS_MODEL_SHA256"] = model.sha256
    return tuple({"name": name, "value": value} for name, value in values.items())
