"""containerd: its configuration, its start, and the images it holds."""

import os
import shutil
from pathlib import Path

from cluster.binaries import program
from cluster.layout import CONTAINERD_SOCKET, POD_CIDR, layout
from cluster.processes import pipe, run, running, start, succeeds
from cluster.progress import wait_for

PAUSE_IMAGE = "localhost/pause:kronos"

_CONFIG = """\
version = 3
root = "{root}"
state = "/run/kronos-containerd"
oom_score = 0
[grpc]
  address = "{socket}"
[plugins.'io.containerd.cri.v1.images']
  snapshotter = "overlayfs"
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = "{pause}"
[plugins.'io.containerd.cri.v1.runtime']
  # Without CAP_SYS_RESOURCE nobody may lower an OOM score, and the sandbox dies with "can't get final child's PID".
  restrict_oom_score_adj = true
  # Where they can be told from those of other runtimes, and be removed with the rest.
  netns_mounts_under_state_dir = true
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
      SystemdCgroup = false
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ["/usr/lib/cni"]
    conf_dir = "{cni}"
"""

_CNI = """\
{{
  "cniVersion": "0.4.0",
  "name": "kronos",
  "plugins": [
    {{"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true,
      "ipam": {{"type": "host-local", "dataDir": "{leases}", "ranges": [[{{"subnet": "{pods}"}}]],
        "routes": [{{"dst": "0.0.0.0/0"}}]}}}},
    {{"type": "portmap", "capabilities": {{"portMappings": true}}}}
  ]
}}
"""


def start_containerd() -> None:
    """Start containerd with the images of earlier clusters still in place, and make sure of the pause image."""
    files = layout()
    cni = files.config / "cni"
    cni.mkdir(parents=True, exist_ok=True)
    (cni / "10-kronos.conflist").write_text(_CNI.format(pods=POD_CIDR, leases=files.root / "leases"))
    config = files.config / "containerd.toml"
    config.write_text(
        _CONFIG.format(root=files.containerd, socket=CONTAINERD_SOCKET, pause=PAUSE_IMAGE, cni=files.config / "cni")
    )
    shim_folder = program("containerd-shim-runc-v2").parent
    start("containerd", program("containerd"), "--config", config, env={"PATH": f"{shim_folder}:{os.environ['PATH']}"})
    wait_for("containerd answering", answers, 30)
    if not has_image(PAUSE_IMAGE):
        _build_pause()
        load_image(PAUSE_IMAGE)


def answers() -> bool:
    return running("containerd") and succeeds(*_ctr(), "version")


def has_image(reference: str) -> bool:
    return reference in run(*_ctr(), "images", "list", "-q").split()


def load_image(reference: str) -> None:
    """Copy an image from buildah into containerd, moving only the layers that containerd does not hold yet.

    The image is written as an OCI layout in which containerd's own blobs already stand as hard links, so that buildah
    leaves them out; what it adds is streamed into the import.
    """
    folder = layout().containerd / "incoming"
    shutil.rmtree(folder, ignore_errors=True)
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    held = _link_held_blobs(blobs)
    uncompressed = "--dest-oci-accept-uncompressed-layers"  # minutes of gzip for a copy that stays on this disk
    run("skopeo", "copy", "-q", uncompressed, f"containers-storage:{reference}", f"oci:{folder}:{reference}")
    added = [f"blobs/sha256/{path.name}" for path in blobs.iterdir() if path.name not in held]
    parts = ["oci-layout", "index.json", *added]
    pipe(["tar", "-C", folder, "-c", *parts], [*_ctr(), "images", "import", "-"])
    shutil.rmtree(folder)


def remove_images(repository: str, keep: str) -> None:
    """Drop the older images of a repository, so that the disk does not fill up."""
    for reference in run(*_ctr(), "images", "list", "-q").split():
        if reference.rpartition(":")[0] == repository and reference != keep:
            run(*_ctr(), "images", "remove", "--sync", reference)


def _link_held_blobs(folder: Path) -> set[str]:
    store = layout().containerd / "io.containerd.content.v1.content" / "blobs" / "sha256"
    names = {path.name for path in store.iterdir()} if store.exists() else set()
    for name in names:
        os.link(store / name, folder / name)
    return names


def _build_pause() -> None:
    """An image of one small static program: the sandbox of every pod."""
    folder = layout().config / "pause"
    folder.mkdir(exist_ok=True)
    shutil.copy(program("pause"), folder / "pause")
    (folder / "Dockerfile").write_text('FROM scratch\nCOPY pause /pause\nENTRYPOINT ["/pause"]\n')
    run("buildah", "bud", "--isolation", "chroot", "-q", "-t", PAUSE_IMAGE, folder)


def _ctr() -> list[str | Path]:
    return [program("ctr"), "--address", CONTAINERD_SOCKET, "--namespace", "k8s.io"]
