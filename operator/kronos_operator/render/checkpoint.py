"""How a pod gets its weights: volumes, mounts and the variables that name them."""

from dataclasses import dataclass

from kronos_operator.api import Manifest
from kronos_operator.api.model import ClaimSource, ImageSource, Model, ModelSource, Tokenizer

MODEL_ROOT = "/models"
CHECKPOINT_FILES = ("config.json", "model.safetensors")
# The hub's cache needs a writable folder; the root file system is read-only.
HUB_CACHE = "/tmp/hf"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The parts of a pod that concern its weights.

    fetches: beginnings of the init containers that bring and verify them, in their order.
    """

    variables: tuple[Manifest, ...]
    volumes: tuple[Manifest, ...] = ()
    mounts: tuple[Manifest, ...] = ()
    fetches: tuple[Manifest, ...] = ()


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
    """Fetched before the server starts, which then needs neither the hub nor its token."""
    tokenizer = model.tokenizer or Tokenizer(name=model.name)
    volume = {"name": "model", "mountPath": MODEL_ROOT}
    token = source.hugging_face.token_secret_name if source.hugging_face else None
    return Checkpoint(
        variables=_named(model, model.name, tokenizer.name),
        volumes=({"name": "model", "emptyDir": {}},),
        mounts=({**volume, "readOnly": True},),
        fetches=(
            *_fetch("model", model.name, model.revision, token, volume),
            *_fetch("tokenizer", tokenizer.name, tokenizer.revision, token, volume),
        ),
    )


def _fetch(
    part: str, repository: str, revision: str | None, secret: str | None, volume: Manifest
) -> tuple[Manifest, Manifest]:
    """Download a repository's files, then compare them with the digests that the hub has for that commit.

    The download itself compares only sizes.
    """
    where = [*(["--revision", revision] if revision else []), "--local-dir", f"{MODEL_ROOT}/{repository}"]
    return (
        _hub_client(f"fetch-{part}", ["download", repository, *CHECKPOINT_FILES, *where], secret, volume),
        _hub_client(f"verify-{part}", ["cache", "verify", repository, *where], secret, volume),
    )


def _hub_client(name: str, arguments: list[str], secret: str | None, volume: Manifest) -> Manifest:
    token = {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": secret, "key": "token"}}}
    return {
        "name": name,
        "command": ["hf", *arguments],
        # Its last words become the condition's message: without colours.
        "env": [
            {"name": "HF_HOME", "value": HUB_CACHE},
            {"name": "NO_COLOR", "value": "1"},
            *([token] if secret else []),
        ],
        "volumeMounts": [volume],
        # The client tells what went wrong in its output only.
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


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
