"""Makes the virtual environment of an image from hashed requirements, and says which torch it took."""

import compileall
import os
import re
import subprocess
import sys
from pathlib import Path

ENVIRONMENT = Path("/opt/kronos")
# What CUDA's build of torch needs, and its CPU build does not.
CUDA = re.compile(r"(cuda|nvidia|triton)\b")
# Thousands of generated files of the Kubernetes client, loaded one by one if at all.
SELDOM_LOADED = re.compile(r"/kubernetes/.*/(api|models)/")


def for_cpu(requirements: str, sha256: str) -> tuple[str, str]:
    """Requirements without torch and CUDA, and those for the CPU build of the same torch, with the hash given."""
    entries = re.split(r"\n(?=\S)", requirements)
    [version] = [entry.split()[0] for entry in entries if entry.startswith("torch==")]
    others = [entry for entry in entries if not (CUDA.match(entry) or entry.startswith("torch=="))]
    return "\n".join(others), f"{version}+cpu --hash=sha256:{sha256}\n"


def install(uv: str, requirements: str, index: str = "") -> None:
    """Install what a requirement file's text names, each file checked against its hashes.

    Raises:
        subprocess.CalledProcessError: something cannot be had, or has another hash.
    """
    listed = Path("/tmp/requirements.txt")
    listed.write_text(requirements)
    into = ["--python", str(ENVIRONMENT / "bin" / "python"), "--link-mode", "copy", "--require-hashes", "--no-deps"]
    only = ["--index-url", index] if index else []
    subprocess.run([uv, "pip", "install", "--quiet", *into, *only, "-r", str(listed)], check=True)
    listed.unlink()


def main(uv: str, requirements: str) -> None:
    """As the Dockerfiles run it; TORCH_INDEX and TORCH_SHA256 ask for the CPU build of torch."""
    index, sha256 = os.environ.get("TORCH_INDEX", ""), os.environ.get("TORCH_SHA256", "")
    if bool(index) != bool(sha256):
        raise SystemExit("TORCH_INDEX and TORCH_SHA256 go together: the address of an index, and the hash of its wheel")
    subprocess.run([uv, "venv", "--quiet", "--python", "/usr/bin/python3", str(ENVIRONMENT)], check=True)
    text = Path(requirements).read_text()
    if index:
        text, torch = for_cpu(text, sha256)
        install(uv, torch, index)
    install(uv, text)
    compileall.compile_dir(ENVIRONMENT / "lib", quiet=1, workers=0, rx=SELDOM_LOADED)
    if "torch==" in text or index:
        say = "import torch; print('torch', torch.__version__, 'on CUDA', torch.version.cuda)"
        subprocess.run([str(ENVIRONMENT / "bin" / "python"), "-c", say], check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
