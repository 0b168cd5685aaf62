"""The image of a server that fails on demand, made from the server's own."""

import shutil
from pathlib import Path

from cluster.images import Image, build_image
from cluster.layout import BUILD
from cluster.target import Target
from e2e.installed import server_image

SCRIPT = Path(__file__).parent / "misbehaving" / "misbehave.py"
_RECIPE = 'FROM {server}\nCOPY --chmod=444 misbehave.py /misbehave.py\nENTRYPOINT ["python", "/misbehave.py"]\n'


def misbehaving_image(target: Target) -> str:
    """Build the image, make it known to the nodes, and return its reference."""
    folder = BUILD / "misbehaving"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(SCRIPT, folder)
    (folder / "Dockerfile").write_text(_RECIPE.format(server=server_image(target)))
    image = Image("misbehaving", folder, ("Dockerfile", SCRIPT.name))
    build_image(image)
    target.load(image)
    return image.reference
