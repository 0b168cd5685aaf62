"""Loading and saving: strict, checked before it is read, offline when told."""

import json
import shutil
import warnings
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file, save_file

from model import Kronos, KronosTokenizer
from model.checkpoints import CheckpointError, locate, weights_sha256
from model.pairing import check_pair

GOLDEN = Path(__file__).parent / "golden" / "tiny"
NORM = "transformer.0.norm1.weight"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(GOLDEN / "model", tmp_path / "model"))


def edit_tensors(folder: Path, remove: tuple[str, ...] = (), **add: torch.Tensor) -> None:
    tensors = load_file(folder / "model.safetensors")
    kept = {name: tensor for name, tensor in tensors.items() if name not in remove}
    save_file(kept | {name.replace("__", "."): tensor for name, tensor in add.items()}, folder / "model.safetensors")


def edit_config(folder: Path, remove: tuple[str, ...] = (), **add: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    kept = {name: value for name, value in config.items() if name not in remove}
    (folder / "config.json").write_text(json.dumps(kept | add))


def test_a_loaded_module_is_in_evaluation_mode_and_trainable(folder: Path) -> None:
    kronos = Kronos.from_pretrained(folder)
    assert not any(module.training for module in kronos.modules())
    assert all(parameter.requires_grad for parameter in kronos.parameters())


@pytest.mark.parametrize("kind", [Kronos, KronosTokenizer])
def test_what_is_saved_is_loaded_again(kind: type[Kronos] | type[KronosTokenizer], tmp_path: Path) -> None:
    saved = kind.from_pretrained(GOLDEN / ("model" if kind is Kronos else "tokenizer"))
    saved.save_pretrained(tmp_path / "deep" / "copy")
    loaded = kind.from_pretrained(tmp_path / "deep" / "copy")
    assert loaded.config == saved.config
    wanted, found = saved.state_dict(), loaded.state_dict()
    assert wanted.keys() == found.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in wanted.items())


@pytest.mark.parametrize("kind", [Kronos, KronosTokenizer])
def test_rotary_and_quantizer_tables_may_be_absent(kind: type[Kronos] | type[KronosTokenizer], tmp_path: Path) -> None:
    whole = kind.from_pretrained(GOLDEN / ("model" if kind is Kronos else "tokenizer"))
    whole.save_pretrained(tmp_path)
    tables = tuple(name for name in whole.state_dict() if name.endswith(("inv_freq", "basis")))
    edit_tensors(tmp_path, remove=tables)
    found = kind.from_pretrained(tmp_path).state_dict()
    assert len(tables) >= 3
    for name in tables:
        torch.testing.assert_close(found[name], whole.state_dict()[name])


def test_half_precision_weights_are_widened(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    save_file({name: tensor.bfloat16() for name, tensor in tensors.items()}, folder / "model.safetensors")
    found = Kronos.from_pretrained(folder).state_dict()
    assert all(torch.equal(found[name], tensor.bfloat16().float()) for name, tensor in tensors.items())


def test_every_tensor_that_does_not_fit_is_listed(folder: Path) -> None:
    edit_tensors(
        folder,
        remove=(NORM, "head.proj_s1.bias"),
        extra=torch.ones(1),
        norm__weight=torch.ones(31),
        head__proj_s2__bias=torch.ones(32, dtype=torch.int64),
    )
    with pytest.raises(CheckpointError) as caught:
        Kronos.from_pretrained(folder)
    for part in (
        f"missing {NORM}",
        "missing head.proj_s1.bias",
        "unexpected extra",
        "norm.weight has shape (31,), not (32,)",
        "head.proj_s2.bias has dtype I64",
    ):
        assert part in str(caught.value)


def test_the_header_is_checked_before_any_data_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edit_tensors(folder, remove=(NORM,))
    monkeypatch.delattr("model.checkpoints.load_file")
    with pytest.raises(CheckpointError, match=f"missing {NORM}"):
        Kronos.from_pretrained(folder)


def test_every_setting_that_does_not_fit_is_listed(folder: Path) -> None:
    edit_config(folder, remove=("ff_dim",), layers=3, n_layers=True, d_model=32.5, s1_bits=64, learn_te="yes")
    with pytest.raises(CheckpointError) as caught:
        Kronos.from_pretrained(folder)
    for part in ("missing ff_dim", "unexpected layers", "n_layers = True", "d_model = 32.5", "s1_bits = 64", "'yes'"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"s2_bits": 6}, "s1_bits 5 and s2_bits 6 must be equal"),
        ({"n_heads": 5}, "n_heads 5 must divide d_model 32"),
        ({"n_layers": 3}, "missing transformer.2"),
    ],
)
def test_a_config_that_builds_no_such_model_is_refused(folder: Path, change: dict[str, object], message: str) -> None:
    edit_config(folder, (), **change)
    with pytest.raises(CheckpointError, match=message):
        Kronos.from_pretrained(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("content", [None, b"", b"[1]", b"\x80\x02pickle"])
def test_a_file_that_is_missing_or_something_else_is_refused(folder: Path, name: str, content: bytes | None) -> None:
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=name):
        Kronos.from_pretrained(folder)


def test_a_truncated_weights_file_is_refused(folder: Path) -> None:
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[:-100])
    with pytest.raises(CheckpointError, match="not a readable safetensors file"):
        Kronos.from_pretrained(folder)


def test_pickled_weights_are_not_looked_at(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        Kronos.from_pretrained(folder)


def test_a_folder_has_no_revision(folder: Path) -> None:
    with pytest.raises(CheckpointError, match="leave out revision='main'"):
        Kronos.from_pretrained(folder, revision="main")


@pytest.mark.parametrize("source", ["./nowhere", "/nowhere/model", "nowhere", "a/b/c", "../x"])
def test_a_name_that_is_neither_folder_nor_hub_id_is_refused(source: str) -> None:
    with pytest.raises(CheckpointError, match="neither a folder nor a hub id"):
        locate(source)


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A local cache that holds owner/tiny at one commit, known as main."""
    repository, commit = tmp_path / "models--owner--tiny", "0" * 40
    shutil.copytree(GOLDEN / "model", repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    return repository / "snapshots" / commit


@pytest.mark.parametrize("revision", [None, "main", "0" * 40])
def test_a_hub_id_is_loaded_from_the_local_copy_when_told(hub_cache: Path, revision: str | None) -> None:
    assert locate("owner/tiny", revision=revision, local_files_only=True) == hub_cache
    assert Kronos.from_pretrained("owner/tiny", revision=revision, local_files_only=True).config["d_model"] == 32


@pytest.mark.usefixtures("hub_cache")
@pytest.mark.parametrize(("source", "revision"), [("owner/tiny", "1" * 40), ("owner/other", None)])
def test_a_hub_id_without_a_local_copy_is_refused_offline(source: str, revision: str | None) -> None:
    with pytest.raises(CheckpointError, match=f"{source} is not a folder, and as a hub id"):
        locate(source, revision=revision, local_files_only=True)


def test_the_hubs_offline_mode_is_honoured(hub_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert locate("owner/tiny", revision="main") == hub_cache
    with pytest.raises(CheckpointError, match="owner/other"):
        locate("owner/other")


def test_the_checksum_is_that_of_the_weights_file(folder: Path) -> None:
    assert weights_sha256(folder) == sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def published(group_size: int, layers: int, width: int) -> tuple[Kronos, KronosTokenizer]:
    """Modules of a published shape, without their memory."""
    drop, bits = (0.0, 0.0, 0.0), (10, 10)  # probabilities of dropout; bits of the two tokens
    with torch.device("meta"):
        kronos = Kronos(*bits, layers, width, 4, 512, *drop, 0.0, True)
        tokenizer = KronosTokenizer(6, 256, 4, 512, 4, 4, *drop, *bits, 0.05, 1.0, 1.1, 0.05, group_size)
    return kronos, tokenizer


@pytest.mark.parametrize(
    ("group_size", "layers", "width", "name"),
    [(4, 4, 256, "Kronos-mini"), (5, 8, 512, "Kronos-small"), (5, 12, 832, "Kronos-base")],
)
def test_a_published_model_with_the_other_tokenizer_is_warned_about(
    group_size: int, layers: int, width: int, name: str
) -> None:
    with pytest.warns(UserWarning, match=name):
        check_pair(*published(group_size, layers, width))


@pytest.mark.parametrize(("group_size", "layers", "width"), [(5, 4, 256), (4, 8, 512), (4, 12, 832), (5, 3, 64)])
def test_a_pair_that_may_belong_together_is_not_warned_about(group_size: int, layers: int, width: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_pair(*published(group_size, layers, width))
