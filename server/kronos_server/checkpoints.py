"""Where the weights are, and which ones they are."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from kronos_server.errors import ModelInvalid, StartFailed
from kronos_server.settings import Settings

HUB_MODEL = "NeoQuasar/Kronos-small"
HUB_TOKENIZER = "NeoQuasar/Kronos-Tokenizer-base"
CONFIG = "config.json"
WEIGHTS = "model.safetensors"
VERSION_DIGITS = 12


@dataclass(frozen=True)
class Source:
    """One checkpoint to load: a folder, or a hub id with its revision (empty: the newest)."""

    name: str
    folder: Path | None
    revision: str = ""


@dataclass(frozen=True)
class Sources:
    """The two checkpoints of a forecast."""

    model: Source
    tokenizer: Source


def locate(settings: Settings) -> Sources:
    """Where the settings say the checkpoints are. Raises `ModelInvalid` for a folder outside the root."""
    root = settings.model_path
    model = _named(settings.model_id, root, settings.model_revision) if settings.model_id else None
    tokenizer = _named(settings.tokenizer_id, root, settings.tokenizer_revision) if settings.tokenizer_id else None
    if not model:
        model = _mounted(root) or Source(HUB_MODEL, None, settings.model_revision)
    if not tokenizer:
        beside = (model.folder or root) / "tokenizer"
        tokenizer = _mounted(beside) or Source(HUB_TOKENIZER, None, settings.tokenizer_revision)
    return Sources(model, tokenizer)


def _named(name: str, root: Path, revision: str) -> Source:
    folder = (root / name).resolve()
    if not folder.is_relative_to(root.resolve()):
        raise ModelInvalid(f"{name!r} leads out of KRONOS_MODEL_PATH ({root}): name a folder inside it, or a hub id")
    return Source(name, folder) if folder.is_dir() else Source(name, None, revision)


def _mounted(folder: Path) -> Source | None:
    return Source(folder.name, folder) if (folder / CONFIG).is_file() else None


def fetch(source: Source) -> Path:
    """The folder of a checkpoint, downloaded from the hub if need be. Raises `StartFailed`."""
    folder = source.folder or _download(source)
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise ModelInvalid(f"{folder} holds no {name}: weights are read from {WEIGHTS} only, beside their {CONFIG}")
    return folder


def _download(source: Source) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(source.name, revision=source.revision or None, allow_patterns=[CONFIG, WEIGHTS]))
    except Exception as error:  # the hub's client raises its own errors, its transport's, and OSError
        raise StartFailed(
            f"{source.name!r} is no folder under KRONOS_MODEL_PATH, and the hub did not give it: {error}"
        ) from error


def version(source: Source, folder: Path, expected: str = "") -> str:
    """`id@` and the first digits of the weights' sha256. Raises `ModelInvalid` if another digest was expected."""
    with (folder / WEIGHTS).open("rb") as weights:
        digest = hashlib.file_digest(weights, "sha256").hexdigest()
    if expected and digest != expected.lower().removeprefix("sha256:"):
        raise ModelInvalid(f"{folder / WEIGHTS} has sha256 {digest}, not {expected} as KRONOS_MODEL_SHA256 says")
    return f"{source.name}@{digest[:VERSION_DIGITS]}"
