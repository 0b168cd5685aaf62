"""etcd, API server, controller manager and scheduler."""

import signal
from pathlib import Path

from cluster.binaries import program
from cluster.layout import SERVICE_CIDR, Site, layout, local_site
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

Command = list[str | Path]


def kubectl(*arguments: str) -> str:
    """Run kubectl as the cluster's administrator and return what it printed."""
    return run(program("kubectl"), "--kubeconfig", layout().kubeconfig, *arguments)


def api_answers() -> bool:
    config = layout().kubeconfig
    question = ["--request-timeout", "2s", "get", "--raw", "/readyz"]
    return config.exists() and succeeds(program("kubectl"), "--kubeconfig", config, *question)


def start_control_plane() -> None:
    site = local_site()
    start("etcd", *etcd(site))
    start("kube-apiserver", *api_server(site))
    wait_for("the API server being ready", _api_ready, 90)
    start("kube-controller-manager", *controller_manager(site), "--bind-address=127.0.0.1")
    start("kube-scheduler", *scheduler(site), "--bind-address=127.0.0.1")


def stop_control_plane() -> None:
    """End it at once: its data is thrown away, and an API server asked politely lingers on its port."""
    for name in ("kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd"):
        stop(name, signal.SIGKILL)


def _api_ready() -> bool:
    require_running("kube-apiserver")
    return api_answers()


def etcd(site: Site) -> Command:
    """Keeps nothing past a crash of the machine; in return no write waits for a disk."""
    return [
        program("etcd"),
        f"--data-dir={site.files.etcd}",
        f"--listen-client-urls={site.etcd_url}",
        f"--advertise-client-urls={site.etcd_url}",
        f"--listen-peer-urls=http://127.0.0.1:{site.etcd_peer_port}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def api_server(site: Site) -> Command:
    """Writes the policy of its audit log, too."""
    pki = site.files.pki
    policy = site.files.config / "audit-policy.yaml"
    policy.write_text(_AUDIT_POLICY)
    return [
        program("kube-apiserver"),
        f"--etcd-servers={site.etcd_url}",
        f"--bind-address={site.host}",
        f"--secure-port={site.api_port}",
        f"--advertise-address={site.host}",
        f"--service-cluster-ip-range={SERVICE_CIDR}",
        f"--client-ca-file={pki}/ca.crt",
        f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        f"--kubelet-client-certificate={pki}/apiserver-kubelet.crt",
        f"--kubelet-client-key={pki}/apiserver-kubelet.key",
        "--kubelet-preferred-address-types=InternalIP",
        *_aggregation(site),
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={pki}/service-account.pub",
        f"--service-account-signing-key-file={pki}/service-account.key",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--audit-policy-file={policy}",
        f"--audit-log-path={site.files.audit_log}",
        "--audit-log-mode=blocking",
    ]


def controller_manager(site: Site) -> Command:
    return [
        program("kube-controller-manager"),
        f"--kubeconfig={site.files.config}/kube-controller-manager.kubeconfig",
        "--leader-elect=false",
        f"--root-ca-file={site.files.pki}/ca.crt",
        f"--service-account-private-key-file={site.files.pki}/service-account.key",
        "--use-service-account-credentials",
        "--horizontal-pod-autoscaler-sync-period=5s",
    ]


def scheduler(site: Site) -> Command:
    kubeconfig = f"--kubeconfig={site.files.config}/kube-scheduler.kubeconfig"
    return [program("kube-scheduler"), kubeconfig, "--leader-elect=false"]


def _aggregation(site: Site) -> list[str]:
    """Lets other API servers, such as metrics-server, answer behind this one."""
    pki = site.files.pki
    return [
        f"--requestheader-client-ca-file={pki}/front-proxy-ca.crt",
        f"--requestheader-allowed-names={FRONT_PROXY}",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={pki}/{FRONT_PROXY}.crt",
        f"--proxy-client-key-file={pki}/{FRONT_PROXY}.key",
    ]
