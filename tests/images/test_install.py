"""The installer of the images takes what has the expected hash, and the CPU build of torch where it is asked for."""

import hashlib
import importlib.util
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest

from cluster.layout import REPOSITORY

UV = str(Path(sys.executable).parent / "uv")
SERVER = (REPOSITORY / "requirements/server.txt").read_text()
WHEEL = "torch-{version}-py3-none-any.whl"


@pytest.fixture
def installer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program that the Dockerfiles run, with an environment of the test's own."""
    spec = importlib.util.spec_from_file_location("install", REPOSITORY / "requirements/install.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ENVIRONMENT", tmp_path / "environment")
    subprocess.run([UV, "venv", "--quiet", str(module.ENVIRONMENT)], check=True)
    return module


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: failures show at the client."""


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """A package index on this machine with one wheel: torch's CPU build, without torch."""
    version = f"{pinned_torch()}+cpu"
    wheel = tmp_path / "index" / "torch" / WHEEL.format(version=version)
    wheel.parent.mkdir(parents=True)
    info = f"torch-{version}.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("torch/__init__.py", f"__version__ = {version!r}\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    (wheel.parent / "index.html").write_text(f'<a href="{wheel.name.replace("+", "%2B")}">{wheel.name}</a>')
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "index")))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def pinned_torch() -> str:
    (line,) = [line for line in SERVER.splitlines() if line.startswith("torch==")]
    return line.split()[0].removeprefix("torch==")


def wheel_hash(folder: Path) -> str:
    (wheel,) = folder.glob("index/torch/*.whl")
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def test_for_the_cpu_all_but_torch_and_cuda_stays_as_it_was(installer: ModuleType) -> None:
    others, torch = installer.for_cpu(SERVER, "0" * 64)
    left_out = set(SERVER.splitlines()) - set(others.splitlines())
    names = {line.partition("==")[0] for line in left_out if not line.startswith(" ")}
    assert {"torch", "triton", "cuda-toolkit", "nvidia-cublas"} <= names
    assert all(name == "torch" or name.startswith(("cuda-", "nvidia-", "triton")) for name in names)
    assert torch == f"torch=={pinned_torch()}+cpu --hash=sha256:{'0' * 64}\n"


def test_the_cpu_build_is_taken_from_the_index_that_is_named(installer: ModuleType, index: str, tmp_path: Path) -> None:
    _, torch = installer.for_cpu(SERVER, wheel_hash(tmp_path))
    installer.install(UV, torch, index)
    show = [str(installer.ENVIRONMENT / "bin/python"), "-c", "import torch; print(torch.__version__)"]
    assert subprocess.run(show, capture_output=True, text=True, check=True).stdout == f"{pinned_torch()}+cpu\n"


def test_a_wheel_with_another_hash_is_refused(installer: ModuleType, index: str) -> None:
    _, torch = installer.for_cpu(SERVER, "0" * 64)
    with pytest.raises(subprocess.CalledProcessError):
        installer.install(UV, torch, index)


def test_an_index_without_a_hash_is_refused(installer: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_INDEX", "http://127.0.0.1:1")
    with pytest.raises(SystemExit, match="go together"):
        installer.main(UV, "absent.txt")
