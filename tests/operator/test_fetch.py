"""What the init containers run, run with the hub's real client against a hub on this machine."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from e2e.fake_hub import TOKEN, serve
from kronos_operator.api.model import Model
from kronos_operator.render.checkpoint import MODEL_ROOT, checkpoint

BINARIES = Path(sys.executable).parent
CHECKPOINT = Path(__file__).parents[2] / "examples" / "demo-checkpoint"
COMMIT = "1" * 40
NO_COMMIT = "0" * 40


class Ended(NamedTuple):
    """How an init container ended: its exit code, and the output that becomes its termination message."""

    code: int
    said: str


@pytest.fixture(scope="module")
def hub() -> Iterator[str]:
    """The address of a hub with the demo checkpoint under several owners."""
    folders = {"model": CHECKPOINT, "tokenizer": CHECKPOINT / "tokenizer"}
    owners = ("public", "private", "broken")
    server = serve({f"{owner}/{name}": folders[name] for owner in owners for name in folders}, "127.0.0.1", 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def fetch(hub: str, folder: Path, owner: str, revision: str = COMMIT, token: str | None = None) -> list[Ended]:
    """Run the init containers of a model one after the other, up to the first that fails."""
    parts = {"name": f"{owner}/model", "revision": revision}
    tokenizer = {"name": f"{owner}/tokenizer", "revision": revision}
    fetches = checkpoint(Model.model_validate({**parts, "tokenizer": tokenizer})).fetches
    secret = {"HF_TOKEN": token} if token else {}
    ended: list[Ended] = []
    for container in fetches:
        ours = {each["name"]: each["value"] for each in container["env"]} | {"HF_HOME": str(folder / "cache")}
        command = [word.replace(MODEL_ROOT, str(folder)) for word in container["command"]]
        path = f"{BINARIES}:{os.environ['PATH']}"
        env = {**os.environ, "PATH": path, "HF_ENDPOINT": hub, **ours, **secret}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)
        ended.append(Ended(done.returncode, done.stdout + done.stderr))
        if done.returncode:
            break
    return ended


def test_the_files_of_a_pinned_commit_are_there_and_verified(hub: str, tmp_path: Path) -> None:
    ended = fetch(hub, tmp_path, "public")
    assert [each.code for each in ended] == [0, 0, 0, 0], ended[-1].said
    for name, source in (("model", CHECKPOINT), ("tokenizer", CHECKPOINT / "tokenizer")):
        for file in ("config.json", "model.safetensors"):
            assert (tmp_path / "public" / name / file).read_bytes() == (source / file).read_bytes()


def test_weights_that_do_not_match_the_commits_digest_are_refused(hub: str, tmp_path: Path) -> None:
    download, verify = fetch(hub, tmp_path, "broken")
    assert download.code == 0
    assert verify.code != 0
    assert "model.safetensors: expected" in verify.said


@pytest.mark.parametrize(
    ("owner", "revision", "said"),
    [
        ("public", NO_COMMIT, "Revision not found in model 'public/model'"),
        ("nobody", COMMIT, "Model 'nobody/model' not found"),
        ("private", COMMIT, "Model 'private/model' not found"),
    ],
)
def test_what_the_hub_does_not_give_ends_the_first_container(
    hub: str, tmp_path: Path, owner: str, revision: str, said: str
) -> None:
    (ended,) = fetch(hub, tmp_path, owner, revision)
    assert ended.code != 0
    assert said in ended.said


def test_the_token_opens_what_is_private(hub: str, tmp_path: Path) -> None:
    assert [each.code for each in fetch(hub, tmp_path, "private", token=TOKEN)] == [0, 0, 0, 0]
