"""The node: kubelet, kube-proxy and cluster DNS."""

import json
import signal

from cluster.binaries import program
from cluster.control_plane import kubectl
from cluster.layout import CGROUP_ROOT, CONTAINERD_SOCKET, NODE, NODE_IP, POD_CIDR, layout
from cluster.processes import require_running, start, stop
from cluster.progress import wait_for

_COREFILE = """\
.:53 {{
    bind {ip}
    errors
    cache 5
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {kubeconfig} kronos
        pods insecure
    }}
}}
"""


def start_node() -> None:
    """Start the kubelet, wait for its registration, then what depends on the node's address."""
    start("coredns", program("coredns"), "-conf", _corefile())
    start(
        "kubelet",
        program("kubelet"),
        f"--config={_kubelet_config()}",
        f"--kubeconfig={layout().config}/kubelet.kubeconfig",
        f"--root-dir={layout().kubelet}",
        f"--hostname-override={NODE}",
        f"--node-ip={NODE_IP}",
    )
    wait_for("the node registering", _registered, 60)
    start("kube-proxy", program("kube-proxy"), f"--config={_proxy_config()}")
    kubectl("wait", f"node/{NODE}", "--for=condition=Ready", "--timeout=60s")


def stop_node() -> None:
    for name in ("kube-proxy", "kubelet", "coredns"):
        stop(name, signal.SIGKILL)


def _registered() -> bool:
    require_running("kubelet")
    return NODE in kubectl("get", "nodes", "-o", "name")


def _kubelet_config() -> str:
    (layout().config / "resolv.conf").write_text(f"nameserver {NODE_IP}\n")
    return _write(
        "kubelet.json",
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {"anonymous": {"enabled": False}, "x509": {"clientCAFile": f"{layout().pki}/ca.crt"}},
            "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": CGROUP_ROOT,
            "failCgroupV1": False,
            "failSwapOn": False,
            "clusterDNS": [NODE_IP],
            "clusterDomain": "cluster.local",
            "resolvConf": f"{layout().config}/resolv.conf",
            "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
            "imageGCHighThresholdPercent": 100,
            "imageGCLowThresholdPercent": 99,
            "serializeImagePulls": False,
            "shutdownGracePeriod": "0s",
            "syncFrequency": "10s",
        },
    )


def _proxy_config() -> str:
    return _write(
        "kube-proxy.json",
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "clientConnection": {"kubeconfig": f"{layout().config}/kube-proxy.kubeconfig"},
            "hostnameOverride": NODE,
            "clusterCIDR": POD_CIDR,
            # The sizes of the connection table belong to the host and cannot be written from here.
            "conntrack": {"maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
        },
    )


def _corefile() -> str:
    path = layout().config / "Corefile"
    path.write_text(_COREFILE.format(ip=NODE_IP, kubeconfig=layout().kubeconfig))
    return str(path)


def _write(name: str, config: dict[str, object]) -> str:
    path = layout().config / name
    path.write_text(json.dumps(config, indent=1))
    return str(path)
