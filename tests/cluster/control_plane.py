"""etcd, API server, controller manager and scheduler."""

import signal

from cluster.binaries import program
from cluster.layout import NODE_IP, SERVICE_CIDR, layout
from cluster.pki import FRONT_PROXY
from cluster.processes import require_running, run, start, stop, succeeds
from cluster.progress import wait_for

# Who among the pods did what: tests read here that an idle operator writes nothing.
_AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: Metadata, userGroups: ["system:serviceaccounts"]}
- {level: None}
"""
_ETCD = "http://127.0.0.1:2379"


def kubectl(*arguments: str) -> str:
    """Run kubectl as the cluster's administrator and return what it printed."""
    return run(program("kubectl"), "--kubeconfig", layout().kubeconfig, *arguments)


def api_answers() -> bool:
    config = layout().kubeconfig
    question = ["--request-timeout", "2s", "get", "--raw", "/readyz"]
    return config.exists() and succeeds(program("kubectl"), "--kubeconfig", config, *question)


def start_control_plane() -> None:
    _start_etcd()
    _start_api_server()
    wait_for("the API server being ready", _api_ready, 90)
    for name, options in {
        "kube-controller-manager": (
            f"--root-ca-file={layout().pki}/ca.crt",
            f"--service-account-private-key-file={layout().pki}/service-account.key",
            "--use-service-account-credentials",
            "--horizontal-pod-autoscaler-sync-period=5s",
        ),
        "kube-scheduler": (),
    }.items():
        kubeconfig = f"--kubeconfig={layout().config}/{name}.kubeconfig"
        start(name, program(name), kubeconfig, "--leader-elect=false", "--bind-address=127.0.0.1", *options)


def stop_control_plane() -> None:
    """End it at once: its data is thrown away, and an API server asked politely lingers on its port."""
    for name in ("kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd"):
        stop(name, signal.SIGKILL)


def _api_ready() -> bool:
    require_running("kube-apiserver")
    return api_answers()


def _start_etcd() -> None:
    start(
        "etcd",
        program("etcd"),
        f"--data-dir={layout().etcd}",
        f"--listen-client-urls={_ETCD}",
        f"--advertise-client-urls={_ETCD}",
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--unsafe-no-fsync",
        "--log-level=warn",
    )


def _start_api_server() -> None:
    pki = layout().pki
    policy = layout().config / "audit-policy.yaml"
    policy.write_text(_AUDIT_POLICY)
    start(
        "kube-apiserver",
        program("kube-apiserver"),
        f"--etcd-servers={_ETCD}",
        f"--bind-address={NODE_IP}",
        f"--advertise-address={NODE_IP}",
        f"--service-cluster-ip-range={SERVICE_CIDR}",
        f"--client-ca-file={pki}/ca.crt",
        f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        f"--kubelet-client-certificate={pki}/apiserver-kubelet.crt",
        f"--kubelet-client-key={pki}/apiserver-kubelet.key",
        "--kubelet-preferred-address-types=InternalIP",
        *_aggregation(),
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={pki}/service-account.pub",
        f"--service-account-signing-key-file={pki}/service-account.key",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--audit-policy-file={policy}",
        f"--audit-log-path={layout().audit_log}",
        "--audit-log-mode=blocking",
    )


def _aggregation() -> list[str]:
    """Lets other API servers, such as metrics-server, answer behind this one."""
    pki = layout().pki
    return [
        f"--requestheader-client-ca-file={pki}/front-proxy-ca.crt",
        f"--requestheader-allowed-names={FRONT_PROXY}",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={pki}/{FRONT_PROXY}.crt",
        f"--proxy-client-key-file={pki}/{FRONT_PROXY}.key",
    ]
