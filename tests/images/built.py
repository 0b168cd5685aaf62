"""An image of this repository, built, and what a program sees inside it."""

import json
import subprocess
import textwrap
from dataclasses import dataclass
from typing import Any

from cluster.binaries import install_debian_packages
from cluster.images import Image, build_image, docker
from cluster.processes import run


@dataclass(frozen=True)
class Built:
    """An image that is in the local store."""

    reference: str

    @property
    def config(self) -> dict[str, Any]:
        """Its configuration, as the OCI image specification has it."""
        if docker():
            found = json.loads(run("docker", "inspect", self.reference))[0]["Config"]
        else:
            found = json.loads(run("buildah", "inspect", "--type", "image", self.reference))["OCIv1"]["config"]
        return dict(found)

    def python(self, script: str) -> Any:
        """What a script prints as JSON, run in a container by the image's user."""
        command = ["python", "-c", textwrap.dedent(script)]
        if docker():
            done = _output("docker", "run", "--rm", "--entrypoint", command[0], self.reference, *command[1:])
        else:
            container = run("buildah", "from", self.reference).strip()
            try:
                done = _output("buildah", "run", "--isolation=chroot", container, "--", *command)
            finally:
                run("buildah", "rm", container)
        return json.loads(done)


def built(image: Image) -> Built:
    """Build an image, which takes seconds where nothing has changed."""
    if not docker():
        install_debian_packages()
    build_image(image)
    return Built(image.reference)


def _output(*command: str) -> str:
    """What a command prints, its warnings apart."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
