"""The control groups below which the kubelet puts every pod, on cgroup v1 and v2."""

import os
from pathlib import Path

from cluster.layout import CGROUP_ROOT

_MOUNT = Path("/sys/fs/cgroup")
_ROOT = CGROUP_ROOT.strip("/")


def create_cgroups() -> None:
    """Make the root that the kubelet demands to find; a cpuset starts empty and takes its parent's values."""
    for controller in _controllers():
        root = controller / _ROOT
        root.mkdir(exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):
            if (controller / name).exists():
                (root / name).write_text((controller / name).read_text())


def pod_processes() -> list[int]:
    """Pids of all containers of ours: they outlive containerd."""
    listings = [listing for root in _roots() for listing in root.rglob("cgroup.procs")]
    return [int(pid) for listing in listings for pid in listing.read_text().split()]


def processes_of_pod(uid: str, program: str) -> list[int]:
    """Pids of a pod's processes whose program file's name starts so; the sandbox is none of them."""
    marks = {f"pod{uid}", f"pod{uid.replace('-', '_')}"}
    folders = [folder for root in _roots() for folder in root.rglob("pod*") if folder.name in marks]
    listings = [listing for folder in folders for listing in folder.rglob("cgroup.procs")]
    pids = {int(pid) for listing in listings for pid in listing.read_text().split()}
    return sorted(pid for pid in pids if Path(os.readlink(f"/proc/{pid}/exe")).name.startswith(program))


def remove_cgroups() -> None:
    for root in _roots():
        for folder in sorted((path for path in root.rglob("*") if path.is_dir()), reverse=True):
            folder.rmdir()
        root.rmdir()


def _controllers() -> list[Path]:
    if (_MOUNT / "cgroup.controllers").exists():
        return [_MOUNT]
    return [path for path in _MOUNT.iterdir() if path.is_dir() and not path.is_symlink()]


def _roots() -> list[Path]:
    return [controller / _ROOT for controller in _controllers() if (controller / _ROOT).exists()]
