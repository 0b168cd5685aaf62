"""Brings the local Kubernetes up and takes it down, whatever an earlier run left behind."""

import shutil
from pathlib import Path

from cluster.binaries import NODE_PROGRAMS, RUNTIME_PROGRAMS, install_debian_packages, program
from cluster.cgroups import create_cgroups, pod_processes, remove_cgroups
from cluster.control_plane import api_answers, start_control_plane, stop_control_plane
from cluster.ingress import start_ingress, stop_ingress
from cluster.layout import BUILD, CONTAINERD_SOCKET, INGRESS_URL, cache, layout, local_site
from cluster.network import create_network, delete_network
from cluster.node import start_node, stop_node
from cluster.pki import create_certificates, create_kubeconfigs
from cluster.processes import kill, programs_of, run, running, stop
from cluster.progress import step, wait_for
from cluster.runtime import start_containerd

_DAEMONS = [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "containerd",
    "kubelet",
    "kube-proxy",
]


def up() -> None:
    """Bring the cluster up, or keep the one that runs; leaves build/kubeconfig and build/ingress-url."""
    install_debian_packages()
    if not whole():
        for name in RUNTIME_PROGRAMS:
            program(name)
        down()
        _start()
    publish()


def whole() -> bool:
    """Whether every daemon runs and the API server answers."""
    return all(running(name) for name in [*_DAEMONS, "coredns", "contour", "envoy"]) and api_answers()


def down() -> None:
    """Remove every process, mount, network and file of the cluster; images and programs stay in the cache."""
    with step("clean up after an earlier cluster"):
        stop_ingress()
        stop_node()
        stop_control_plane()
        stop("containerd")
        kill(programs_of(cache() / "bin"))
        wait_for("the containers' processes ending", _no_containers, 30)
        _unmount(layout().root, Path(CONTAINERD_SOCKET).parent)
        remove_cgroups()
        delete_network()
        shutil.rmtree(layout().root, ignore_errors=True)
        shutil.rmtree(Path(CONTAINERD_SOCKET).parent, ignore_errors=True)
    for name in ("kubeconfig", "ingress-url"):
        (BUILD / name).unlink(missing_ok=True)


def publish() -> None:
    """Leave the way in for whoever wants to look."""
    BUILD.mkdir(exist_ok=True)
    shutil.copy(layout().kubeconfig, BUILD / "kubeconfig")
    (BUILD / "ingress-url").write_text(f"{INGRESS_URL}\n")


def _start() -> None:
    files = layout()
    files.create()
    with step("make certificates and the network"):
        create_certificates(local_site())
        create_kubeconfigs(local_site())
        create_network()
        create_cgroups()
    with step("start containerd", files.logs / "containerd.log"):
        start_containerd()
    for name in NODE_PROGRAMS:  # images are loaded meanwhile
        program(name)
    with step("start the control plane", files.logs / "kube-apiserver.log"):
        start_control_plane()
    with step("start the node", files.logs / "kubelet.log"):
        start_node()
    program("contour")
    with step("start Contour and Envoy", files.logs / "contour.log"):
        start_ingress()


def _no_containers() -> bool:
    kill(pod_processes())
    return not pod_processes()


def _unmount(*roots: Path) -> None:
    """Unmount all below some folders, deepest first; network namespaces of pods are mounts too."""
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in sorted(set(mounts), key=len, reverse=True):
        if any(mount.startswith(f"{root}/") for root in roots):
            run("umount", "--lazy", mount)
