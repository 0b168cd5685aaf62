"""The cluster's own certificate authority, and a kubeconfig for each of its clients."""

import json
from pathlib import Path

from cluster.layout import FIRST_SERVICE_IP, NODE, Site
from cluster.processes import run

# Python 3.13 verifies strictly (RFC 5280): an authority must say what its key is for, and name the keys.
_AUTHORITY = """\
[req]
distinguished_name = name
x509_extensions = authority
[name]
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign,digitalSignature
subjectKeyIdentifier = hash
"""
_LEAF = [
    "basicConstraints=critical,CA:FALSE",
    "keyUsage=critical,digitalSignature,keyEncipherment",
    "extendedKeyUsage=serverAuth,clientAuth",
    "subjectKeyIdentifier=hash",
    "authorityKeyIdentifier=keyid",
]
_SERVER_NAMES = ["DNS:kubernetes", "DNS:kubernetes.default", "DNS:kubernetes.default.svc", "DNS:localhost"]
_DAYS = "365"
# Whom aggregated API servers believe when a request says on whose behalf it comes.
FRONT_PROXY = "front-proxy-client"


def create_certificates(site: Site) -> None:
    """Write the authorities, the certificates of the servers and the service account key."""
    folder = site.files.pki
    (folder / "ca.conf").write_text(_AUTHORITY)
    for authority in ("ca", "front-proxy-ca"):
        self_signed = ["-x509", "-days", _DAYS, "-config", str(folder / "ca.conf")]
        _request(folder / authority, f"/CN=kronos-{authority}", *self_signed)
    addresses = [f"IP:{ip}" for ip in (site.host, FIRST_SERVICE_IP, "127.0.0.1")]
    _issue(folder, "apiserver", "/CN=kube-apiserver", f"subjectAltName={','.join(_SERVER_NAMES + addresses)}")
    _issue(folder, "ingress", "/CN=ingress", f"subjectAltName=DNS:*.example.com,IP:{site.host}")
    _issue(folder, "apiserver-kubelet", "/O=system:masters/CN=kube-apiserver-kubelet")
    _issue(folder, FRONT_PROXY, f"/CN={FRONT_PROXY}", authority="front-proxy-ca")
    run("openssl", "genrsa", "-out", folder / "service-account.key", "2048")
    run("openssl", "rsa", "-in", folder / "service-account.key", "-pubout", "-out", folder / "service-account.pub")


def create_kubeconfigs(site: Site) -> None:
    """Write a kubeconfig per client, under the names that Kubernetes' default roles are bound to."""
    for client, subject in {
        "admin": "/O=system:masters/CN=kronos-admin",
        "kube-controller-manager": "/CN=system:kube-controller-manager",
        "kube-scheduler": "/CN=system:kube-scheduler",
        "kube-proxy": "/CN=system:kube-proxy",
        "kubelet": f"/O=system:nodes/CN=system:node:{NODE}",
    }.items():
        _issue(site.files.pki, client, subject)
        path = site.files.config / f"{client}.kubeconfig"
        path.write_text(json.dumps(_kubeconfig(site, client), indent=1))
        path.chmod(0o600)


def _issue(folder: Path, name: str, subject: str, *extensions: str, authority: str = "ca") -> None:
    (folder / f"{name}.ext").write_text("\n".join([*_LEAF, *extensions]) + "\n")
    _request(folder / name, subject)
    signed: list[str | Path] = ["-CA", folder / f"{authority}.crt", "-CAkey", folder / f"{authority}.key"]
    files: list[str | Path] = [
        "-in",
        folder / f"{name}.crt",
        "-out",
        folder / f"{name}.pem",
        "-extfile",
        folder / f"{name}.ext",
    ]
    run("openssl", "x509", "-req", *signed, "-CAcreateserial", "-days", _DAYS, *files)
    (folder / f"{name}.pem").replace(folder / f"{name}.crt")


def _request(stem: Path, subject: str, *options: str) -> None:
    key: list[str | Path] = ["-newkey", "rsa:2048", "-nodes", "-keyout", stem.with_suffix(".key")]
    run("openssl", "req", "-new", *key, "-subj", subject, "-out", stem.with_suffix(".crt"), *options)


def _kubeconfig(site: Site, client: str) -> dict[str, object]:
    folder = site.files.pki
    cluster = {"server": site.api_url, "certificate-authority-data": _base64(folder / "ca.crt")}
    user = {
        "client-certificate-data": _base64(folder / f"{client}.crt"),
        "client-key-data": _base64(folder / f"{client}.key"),
    }
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "kronos", "cluster": cluster}],
        "users": [{"name": client, "user": user}],
        "contexts": [{"name": "kronos", "context": {"cluster": "kronos", "user": client}}],
        "current-context": "kronos",
    }


def _base64(path: Path) -> str:
    return run("openssl", "base64", "-A", "-in", path)
