"""Real programs on this machine: servers of both pools, and nginx in front of them."""

import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.layout import cache
from cluster.processes import run

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 120


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(command: list[str], ready: str, log: Path, **environment: str) -> Iterator[None]:
    """A process that has answered at its `ready` address."""
    with log.open("w") as output:
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=output, stderr=output)
        try:
            deadline = time.monotonic() + PATIENCE_SECONDS
            while not answers(ready):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.2)
            yield
        finally:
            process.terminate()
            process.wait(timeout=60)


def answers(url: str) -> bool:
    """Whether somebody answers there, and not with an error."""
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


@contextmanager
def server(pool: str, port: int, peer: str, peer_port: int, folder: Path) -> Iterator[int]:
    """A real server of a pool, computing on the CPU; gives its port."""
    settings = {
        "KRONOS_POOL": pool,
        "KRONOS_DEVICE": "cpu",
        "KRONOS_PORT": str(port),
        "KRONOS_HOST": "127.0.0.1",
        "KRONOS_THREADS": "1",
        "KRONOS_DRAIN_SECONDS": "0",
        "KRONOS_MODEL_PATH": str(ROOT / "examples/demo-checkpoint"),
        "KRONOS_TERMINATION_LOG": str(folder / f"{pool}.termination"),
        f"KRONOS_PEER_{peer.upper()}_URL": f"http://127.0.0.1:{peer_port}",
    }
    command = [sys.executable, "-m", "kronos_server"]
    with running(command, f"http://127.0.0.1:{port}/v1/readyz", folder / f"{pool}.log", **settings):
        yield port


def nginx_binary() -> str:
    """The nginx of this machine, else Debian's, unpacked and not installed: that would start a service."""
    if found := shutil.which("nginx"):
        return found
    folder = cache() / "nginx"
    binary = folder / "usr/sbin/nginx"
    if not binary.exists():
        folder.mkdir(parents=True, exist_ok=True)
        run("apt-get", "update", "-q")
        run("apt-get", "download", "-q", "nginx", cwd=folder)
        for package in folder.glob("nginx_*.deb"):
            run("dpkg-deb", "--extract", package, folder)
    return str(binary)


@contextmanager
def nginx(cpu: int, gpu: int, folder: Path) -> Iterator[str]:
    """nginx with the configuration of the repository; only its addresses and its folder are the test's."""
    port = free_port()
    text = (ROOT / "examples/compose/nginx.conf").read_text()
    text = text.replace("hybrid-cpu:8000", f"127.0.0.1:{cpu}").replace("hybrid-gpu:8000", f"127.0.0.1:{gpu}")
    text = text.replace("listen 8000", f"listen 127.0.0.1:{port}").replace("/tmp/", f"{folder}/")
    (folder / "nginx.conf").write_text(text)
    # As root nginx would change to a user that cannot write here; in the container it has one user throughout.
    settings = f"daemon off; user {pwd.getpwuid(os.geteuid()).pw_name};"
    command = [nginx_binary(), "-c", str(folder / "nginx.conf"), "-p", str(folder), "-g", settings]
    url = f"http://127.0.0.1:{port}"
    with running(command, f"{url}/", folder / "nginx.log"):
        yield url
