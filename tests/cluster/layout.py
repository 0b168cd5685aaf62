"""Where the local cluster keeps its files and which addresses it uses."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
GO_MODULES = Path(__file__).resolve().parent / "go"
BUILD = REPOSITORY / "build"

NAME = "kronos"
NODE = "kronos-node"

# 198.18.0.0/15 is reserved for tests between networks (RFC 2544): nothing here is routed anywhere.
HOST_IP = "198.18.255.1"
NODE_IP = "198.18.255.2"
POD_CIDR = "198.18.0.0/24"
SERVICE_CIDR = "198.18.128.0/20"
FIRST_SERVICE_IP = "198.18.128.1"
INGRESS_URL = f"http://{NODE_IP}"
CONTAINERD_SOCKET = "/run/kronos-containerd/containerd.sock"
CGROUP_ROOT = "/kronos"


def cache() -> Path:
    """Folder outside the tree for all that is slow to make; `KRONOS_CACHE` moves it."""
    return Path(os.environ.get("KRONOS_CACHE", Path.home() / ".cache" / "kronos"))


def fingerprint(*parts: str | Path) -> str:
    """Twelve hex digits that change when any text or file among the parts does."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.read_bytes() if isinstance(part, Path) else part.encode())
        digest.update(b"\0")
    return digest.hexdigest()[:12]


@dataclass(frozen=True)
class Layout:
    """The files of one running cluster, all below the cache folder."""

    root: Path

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def pids(self) -> Path:
        return self.root / "pids"

    @property
    def pki(self) -> Path:
        return self.root / "pki"

    @property
    def config(self) -> Path:
        return self.root / "config"

    @property
    def etcd(self) -> Path:
        return self.root / "etcd"

    @property
    def kubelet(self) -> Path:
        return self.root / "kubelet"

    @property
    def containerd(self) -> Path:
        """Outlives a cluster: imported images stay for the next one."""
        return self.root.parent / "containerd"

    @property
    def kubeconfig(self) -> Path:
        return self.config / "admin.kubeconfig"

    @property
    def audit_log(self) -> Path:
        return self.logs / "audit.log"

    def create(self) -> None:
        for folder in (self.logs, self.pids, self.pki, self.config, self.etcd, self.kubelet, self.containerd):
            folder.mkdir(parents=True, exist_ok=True)


def layout() -> Layout:
    return Layout(cache() / "cluster")


@dataclass(frozen=True)
class Site:
    """Where a control plane keeps its files, and where it listens."""

    files: Layout
    host: str
    api_port: int = 6443
    etcd_port: int = 2379
    etcd_peer_port: int = 2380

    @property
    def api_url(self) -> str:
        return f"https://{self.host}:{self.api_port}"

    @property
    def etcd_url(self) -> str:
        return f"http://127.0.0.1:{self.etcd_port}"


def local_site() -> Site:
    """The local cluster's control plane, on the address of its node."""
    return Site(layout(), NODE_IP)
