"""Where a pod's weights come from."""

from typing import Any

from kronos_operator.api.model import Model
from kronos_operator.render.checkpoint import Checkpoint, checkpoint
from kronos_operator.settings import Settings

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def variables(parts: Checkpoint) -> dict[str, Any]:
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in parts.variables}


def model(**fields: Any) -> Model:
    return Model.model_validate(fields)


HUB: dict[str, Any] = {"name": "a/model", "revision": COMMIT, "tokenizer": {"name": "b/tokenizer", "revision": COMMIT}}


def test_the_hub_is_asked_for_pinned_commits_which_are_verified_before_the_server_starts() -> None:
    parts = checkpoint(model(**HUB))
    files = "config.json model.safetensors"
    model_at, tokenizer_at = (f"--revision {COMMIT} --local-dir /models/{name}" for name in ("a/model", "b/tokenizer"))
    assert [(each["name"], " ".join(each["command"])) for each in parts.fetches] == [
        ("fetch-model", f"hf download a/model {files} {model_at}"),
        ("verify-model", f"hf cache verify a/model {model_at}"),
        ("fetch-tokenizer", f"hf download b/tokenizer {files} {tokenizer_at}"),
        ("verify-tokenizer", f"hf cache verify b/tokenizer {tokenizer_at}"),
    ]


def test_the_server_reads_what_was_fetched_and_cannot_change_it() -> None:
    parts = checkpoint(model(**HUB))
    values = variables(parts)
    assert (values["KRONOS_MODEL_ID"], values["KRONOS_TOKENIZER_ID"]) == ("a/model", "b/tokenizer")
    assert parts.volumes == ({"name": "model", "emptyDir": {}},)
    assert parts.mounts == ({"name": "model", "mountPath": "/models", "readOnly": True},)


def test_only_the_fetching_containers_get_the_hubs_token() -> None:
    parts = checkpoint(model(**HUB, source={"huggingFace": {"tokenSecretName": "hub"}}))
    token = {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hub", "key": "token"}}}
    assert all(token in each["env"] for each in parts.fetches)
    assert "HF_TOKEN" not in variables(parts)


def test_a_claim_is_mounted_read_only_at_the_models_root() -> None:
    claim = {"claimName": "weights", "path": "small", "tokenizerPath": "small/tokenizer"}
    parts = checkpoint(model(name="small", source={"persistentVolumeClaim": claim}))
    assert parts.volumes == ({"name": "model", "persistentVolumeClaim": {"claimName": "weights", "readOnly": True}},)
    assert parts.mounts == ({"name": "model", "mountPath": "/models", "readOnly": True},)
    values = variables(parts)
    assert (values["KRONOS_MODEL_ID"], values["KRONOS_TOKENIZER_ID"]) == ("small", "small/tokenizer")


def test_an_image_is_mounted_read_only_under_the_models_name() -> None:
    image = {"reference": "registry/weights@sha256:1", "pullPolicy": "IfNotPresent"}
    parts = checkpoint(model(name="demo", source={"image": image}))
    assert parts.volumes == ({"name": "model", "image": image},)
    assert parts.mounts == ({"name": "model", "mountPath": "/models/demo", "readOnly": True},)
    values = variables(parts)
    assert (values["KRONOS_MODEL_ID"], values["KRONOS_TOKENIZER_ID"]) == ("demo", "demo/tokenizer")


def test_a_digest_and_the_context_reach_the_server() -> None:
    digest = "f" * 64
    image = {"reference": "registry/weights"}
    values = variables(checkpoint(model(name="demo", sha256=digest, maxContext=256, source={"image": image})))
    assert (values["KRONOS_MODEL_SHA256"], values["KRONOS_MAX_CONTEXT"]) == (digest, "256")


def test_the_default_model_is_pinned() -> None:
    default = Settings().default_model
    assert default.revision
    assert default.sha256
    assert default.tokenizer
    assert default.tokenizer.revision
