"""Builds the project's images, under tags that say what is in them."""

import os
import shutil
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.request import urlopen

from cluster.layout import REPOSITORY, cache, fingerprint
from cluster.processes import run, succeeds
from cluster.progress import say, step

# Images cannot be pulled everywhere: debootstrap makes this one, and buildah finds it by the short name of Dockerfile.
BASE = "localhost/debian:trixie-slim"
_SUITE = "trixie"


@dataclass(frozen=True)
class Image:
    """An image of this repository: what it is built from decides its tag."""

    name: str
    context: Path
    sources: tuple[str, ...]
    target: str = ""
    dockerfile: str = "Dockerfile"

    @property
    def repository(self) -> str:
        return f"{os.environ.get('KRONOS_REGISTRY', 'localhost')}/kronos-{self.name}"

    @cached_property
    def tag(self) -> str:
        """Read from the files once: they may be edited while the image is built and loaded."""
        files = sorted(path for source in self.sources for path in _files(self.context / source))
        contents = (part for path in files for part in (str(path.relative_to(self.context)), path))
        return fingerprint(os.environ.get("KRONOS_TORCH_INDEX", ""), *contents)

    @property
    def reference(self) -> str:
        return f"{self.repository}:{self.tag}"


_RECIPE = ("Dockerfile", "requirements/install.py", "requirements/installer.txt", "requirements/root.sh")
OPERATOR = Image(
    "operator",
    REPOSITORY,
    (*_RECIPE, "requirements/operator.txt", "operator/kronos_operator"),
    "operator",
)
SERVER = Image(
    "server",
    REPOSITORY,
    (*_RECIPE, "requirements/server.txt", "model", "server/kronos_server"),
    "server",
)
WEIGHTS = Image(
    "demo-weights",
    REPOSITORY,
    ("examples/weights.Dockerfile", "examples/demo-checkpoint"),
    dockerfile="examples/weights.Dockerfile",
)
SERVER_GPU = Image("server-gpu", REPOSITORY, (*SERVER.sources, "Dockerfile.gpu"), dockerfile="Dockerfile.gpu")
ALL = (OPERATOR, WEIGHTS, SERVER)


def build_image(image: Image) -> None:
    """Build an image, with Docker where there is one and with buildah elsewhere.

    Raises:
        StepFailed: the build failed; its log says why.
    """
    log = cache() / "logs" / f"image-{image.name}.log"
    recipe = ["--file", str(image.context / image.dockerfile), *(["--target", image.target] if image.target else [])]
    if not docker():
        _make_base()
    with step(f"build image {image.reference}", log):
        recipe += [f"--build-arg={name}={value}" for name, value in {**_labels(image), **_torch(image)}.items()]
        if docker():
            run("docker", "build", *recipe, "--tag", image.reference, image.context, log=log)
        else:
            run(*_buildah(), *recipe, "--tag", image.reference, image.context, log=log)
            _prune(image)
    if "KRONOS_REGISTRY" in os.environ:
        with step(f"push image {image.reference}", log):
            run("docker" if docker() else "buildah", "push", image.reference, log=log)


def docker() -> bool:
    """Whether a Docker engine answers; its client alone may be installed without one."""
    return shutil.which("docker") is not None and succeeds("docker", "info")


def _labels(image: Image) -> dict[str, str]:
    """Build arguments that become labels: the version, and the commit where there is one."""
    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    if not succeeds("git", "-C", REPOSITORY, "rev-parse", "HEAD"):  # an archive of the sources
        return {"VERSION": version, "REVISION": "unknown"}
    edited = run("git", "-C", REPOSITORY, "status", "--porcelain", "--", *image.sources).strip()
    commit = run("git", "-C", REPOSITORY, "rev-parse", "HEAD").strip()
    return {"VERSION": version, "REVISION": f"{commit}-edited" if edited else commit}


def _torch(image: Image) -> dict[str, str]:
    """PyTorch's CPU build for the CPU server, where KRONOS_TORCH_INDEX names an index that can be reached."""
    index = os.environ.get("KRONOS_TORCH_INDEX")
    if image is not SERVER or not index:
        return {}
    try:
        urlopen(index, timeout=10).close()
    except OSError as error:
        say(f"        KRONOS_TORCH_INDEX cannot be reached ({error}): taking the pinned torch instead")
        return {}
    return {"TORCH_INDEX": index, "TORCH_SHA256": os.environ.get("KRONOS_TORCH_SHA256", "")}


def _prune(image: Image) -> None:
    """Drop older builds of an image, whose layers would fill the disk."""
    for reference in run("buildah", "images", "--format", "{{.Name}}:{{.Tag}}").split():
        if reference.rpartition(":")[0] == image.repository and reference != image.reference:
            run("buildah", "rmi", "--force", reference)


def _buildah() -> list[str | Path]:
    uv_cache = Path.home() / ".cache" / "uv"
    uv_cache.mkdir(parents=True, exist_ok=True)
    # The build sees the host's certificates, for networks that intercept TLS, and uv's downloads.
    volumes = ["--volume=/etc/ssl/certs:/run/host-certs:ro", f"--volume={uv_cache}:/run/uv-cache"]
    arguments = ["SSL_CERT_FILE=/run/host-certs/ca-certificates.crt", "UV_CACHE_DIR=/run/uv-cache"]
    build_args = [f"--build-arg={argument}" for argument in arguments]
    return ["buildah", "bud", "--isolation=chroot", "--layers", *build_args, *volumes]


def _make_base() -> None:
    if succeeds("buildah", "inspect", "--type", "image", BASE):
        return
    folder = cache() / "images"
    root, archive = folder / _SUITE, folder / f"{_SUITE}.tar"
    log = cache() / "logs" / "image-base.log"
    with step("make the Debian base image", log):
        shutil.rmtree(root, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        run("debootstrap", "--variant=minbase", _SUITE, root, log=log)
        run("tar", "--numeric-owner", "-C", root, "-cf", archive, ".")
        container = run("buildah", "from", "scratch").strip()
        run("buildah", "add", container, archive, "/")  # an archive keeps owners and modes; a folder would not
        run("buildah", "config", "--cmd", "bash", container)
        run("buildah", "commit", "--rm", container, BASE)
        shutil.rmtree(root)
        archive.unlink()


def _files(path: Path) -> list[Path]:
    found = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return [file for file in found if "__pycache__" not in file.parts]
