"""Checkpoint folders: find, check against the configuration, load and save; safetensors only."""

import hashlib
import inspect
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from huggingface_hub import snapshot_download
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
LARGEST_SIZE = 65_536  # no dimension of a Kronos comes near; keeps a hostile file from building a giant
LARGEST_BITS = 20
FLOAT_TYPES = frozenset({"F32", "F16", "BF16"})


class CheckpointError(ValueError):
    """A checkpoint that cannot be found or does not fit; the message lists everything that is wrong with it."""


class Checkpoint(nn.Module):
    """A module that is stored as a folder of `config.json` (constructor arguments by name) and `model.safetensors`."""

    optional_tensors: ClassVar[tuple[str, ...]] = ()
    config: dict[str, Any]

    def keep_config(self, arguments: Mapping[str, Any]) -> None:
        """Remember the constructor's arguments, given its `locals()`, for `save_pretrained`."""
        self.config = {name: arguments[name] for name in inspect.signature(type(self)).parameters}

    @classmethod
    def from_pretrained(
        cls, source: str | os.PathLike[str], *, revision: str | None = None, local_files_only: bool = False
    ) -> Self:
        """Load a folder, or a hub id at a revision, in evaluation mode and float32.

        With local_files_only, or in the hub library's offline mode, nothing is downloaded. Raises CheckpointError.
        """
        folder = locate(source, revision=revision, local_files_only=local_files_only)
        config = read_config(folder, cls)
        try:
            with torch.device("meta"):
                module = cls(**config)
        except ValueError as error:
            raise CheckpointError(f"{folder / CONFIG_FILE}: {error}") from error
        check_header(folder / WEIGHTS_FILE, module)
        tensors = {name: _widen(tensor) for name, tensor in load_file(folder / WEIGHTS_FILE).items()}
        module.load_state_dict(tensors, strict=False, assign=True)
        return module.eval()

    def save_pretrained(self, folder: str | os.PathLike[str]) -> None:
        """Write the checkpoint folder; it is made where missing."""
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        (target / CONFIG_FILE).write_text(json.dumps(self.config, indent=2) + "\n")
        save_file({name: tensor.contiguous() for name, tensor in self.state_dict().items()}, target / WEIGHTS_FILE)


def locate(source: str | os.PathLike[str], *, revision: str | None = None, local_files_only: bool = False) -> Path:
    """The folder of a checkpoint: the one named, or the local copy of a hub id at a revision.

    Raises CheckpointError where there is none.
    """
    folder = Path(source)
    if folder.is_dir():
        if revision is not None:
            raise CheckpointError(f"{folder} is a folder and has no revisions: leave out revision={revision!r}")
        return folder
    if folder.is_absolute() or os.fspath(source).startswith(".") or len(folder.parts) != 2:
        raise CheckpointError(f"{source} is neither a folder nor a hub id of the form owner/name")
    try:
        return Path(
            snapshot_download(
                os.fspath(source),
                revision=revision,
                allow_patterns=[CONFIG_FILE, WEIGHTS_FILE],
                local_files_only=local_files_only,
            )
        )
    except Exception as error:  # the hub library lets through errors of its HTTP library, too
        at = f" at revision {revision}" if revision else ""
        raise CheckpointError(f"{source} is not a folder, and as a hub id{at} it cannot be had: {error}") from error


def weights_sha256(folder: str | os.PathLike[str]) -> str:
    """The sha256 of a checkpoint folder's weights, in hex."""
    with (Path(folder) / WEIGHTS_FILE).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_config(folder: Path, kind: type[Checkpoint]) -> dict[str, Any]:
    """The constructor arguments a folder holds. Raises CheckpointError that lists what is missing, unknown or odd."""
    path = folder / CONFIG_FILE
    try:
        config = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error
    if not isinstance(config, dict):
        raise CheckpointError(f"{path} must hold one JSON object")
    expected = inspect.signature(kind).parameters
    wrong = [f"missing {name}" for name in expected if name not in config]
    wrong += [f"unexpected {name}" for name in config if name not in expected]
    wrong += [
        f"{name} = {config[name]!r} is not {wanted}"
        for name, parameter in expected.items()
        if name in config and (wanted := _misfit(name, config[name], parameter.annotation))
    ]
    if wrong:
        raise CheckpointError(f"{path} does not fit {kind.__name__}: {'; '.join(wrong)}")
    return config


def check_header(path: Path, module: Checkpoint) -> None:
    """Compare a weights file's header with what the module needs, before any of its data is read.

    Raises CheckpointError that lists missing, unexpected and misshapen tensors.
    """
    expected = module.state_dict()
    try:
        with safe_open(path, framework="pt") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
            found = {name: (tuple(part.get_shape()), part.get_dtype()) for name, part in slices.items()}
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} is not a readable safetensors file: {error}") from error
    wrong = [f"missing {name}" for name in expected if name not in found and not name.endswith(module.optional_tensors)]
    wrong += [f"unexpected {name}" for name in found if name not in expected]
    for name in sorted(expected.keys() & found.keys()):
        shape, dtype = found[name]
        if shape != tuple(expected[name].shape):
            wrong.append(f"{name} has shape {shape}, not {tuple(expected[name].shape)}")
        if dtype not in (FLOAT_TYPES if expected[name].is_floating_point() else {"I64"}):
            wrong.append(f"{name} has dtype {dtype}")
    if wrong:
        raise CheckpointError(f"{path} does not fit its configuration: {'; '.join(wrong)}")


def _misfit(name: str, value: object, annotation: object) -> str | None:
    """What a configuration value should have been, or None where it fits."""
    if annotation is bool:
        return None if isinstance(value, bool) else "true or false"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "a number"
    if annotation is float:
        return None if 0 <= value < float("inf") else "a number of at least 0"
    largest = LARGEST_BITS if name.endswith("_bits") else LARGEST_SIZE
    return None if isinstance(value, int) and 1 <= value <= largest else f"a whole number from 1 to {largest}"


def _widen(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor
