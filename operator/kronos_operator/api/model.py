"""Which checkpoint is served, and where its files come from."""

from typing import Annotated

from pydantic import ConfigDict, Field

from kronos_operator.api.structure import ObjectName, Structure, rules
from kronos_operator.api.workload import PullPolicy

RelativePath = Annotated[
    str,
    Field(
        min_length=1,
        max_length=256,
        pattern=r"^[A-Za-z0-9._/-]+$",
        json_schema_extra=rules(
            ("!self.startsWith('/')", "the path is relative to the volume: leave out the leading /"),
            ("!self.contains('..')", "the path must stay inside the volume: leave out .."),
        ),
    ),
]
# A repository of the hub is owner/name; a label of weights on a volume is a name alone.
ModelName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=128,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*"
        r"(/[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*)?$",
    ),
]
Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$", min_length=40, max_length=40)]


class Tokenizer(Structure):
    """The tokenizer's checkpoint on the hub."""

    name: ModelName = Field(description="Repository of the hub.")
    revision: Commit | None = Field(None, description="Commit of the repository, 40 hexadecimal digits.")


class HuggingFaceSource(Structure):
    """Files from the Hugging Face hub, fetched and verified before the server starts, which then runs offline."""

    token_secret_name: ObjectName | None = Field(
        None, description="Secret with the hub's token under the key token, for private repositories."
    )


class ClaimSource(Structure):
    """Files from a volume that is mounted read-only."""

    claim_name: ObjectName = Field(description="PersistentVolumeClaim in the same namespace.")
    path: RelativePath = Field(description="Folder with config.json and model.safetensors, relative to the volume.")
    tokenizer_path: RelativePath = Field(description="The tokenizer's folder, relative to the volume.")


class ImageSource(Structure):
    """Files from an OCI image that is mounted as a volume (Kubernetes 1.35 or newer).

    The image holds config.json, model.safetensors and the folder tokenizer.
    """

    reference: str = Field(min_length=1, max_length=512, description="Image, best by digest.")
    pull_policy: PullPolicy | None = Field(None, description="When the image is pulled.")


class ModelSource(Structure):
    """Where the files come from: at most one; none is the hub."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "[has(self.huggingFace), has(self.persistentVolumeClaim), has(self.image)]"
                ".filter(given, given).size() <= 1",
                "give at most one of huggingFace, persistentVolumeClaim and image",
            )
        )
    )
    hugging_face: HuggingFaceSource | None = Field(None, description="The Hugging Face hub.")
    persistent_volume_claim: ClaimSource | None = Field(None, description="A volume of the cluster.")
    image: ImageSource | None = Field(None, description="An OCI image.")


ON_VOLUME = "has(self.source) && (has(self.source.image) || has(self.source.persistentVolumeClaim))"


class Model(Structure):
    """A checkpoint and its tokenizer, pinned."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                f"({ON_VOLUME}) || has(self.revision)",
                "a model from the hub needs revision: pin the commit",
            ),
            (
                f"({ON_VOLUME}) || (has(self.tokenizer) && has(self.tokenizer.revision))",
                "a model from the hub needs tokenizer.name and tokenizer.revision: pin the commit",
            ),
            (
                f"!({ON_VOLUME}) || (!has(self.revision) && !has(self.tokenizer))",
                "revision and tokenizer are for models from the hub: a volume holds its own (pin it with sha256)",
            ),
        )
    )
    name: ModelName = Field(description="Repository of the hub, or a label for weights that a volume holds.")
    revision: Commit | None = Field(None, description="Commit of the repository, 40 hexadecimal digits.")
    sha256: str | None = Field(
        None, pattern=r"^[0-9a-f]{64}$", max_length=64, description="Digest of the weights; verified when given."
    )
    tokenizer: Tokenizer | None = Field(None, description="The tokenizer of the model.")
    max_context: int = Field(512, ge=2, le=8192, description="Most rows that the model sees at once.")
    source: ModelSource | None = Field(None, description="Where the files come from; absent: the hub.")
