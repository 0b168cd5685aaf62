"""Contour and Envoy: what answers Ingresses, and Gateway API routes, at the node's address."""

from pathlib import Path

from cluster.binaries import envoy, go_module_folder, program
from cluster.control_plane import kubectl
from cluster.http_probe import http_status
from cluster.layout import NODE_IP, layout
from cluster.processes import require_running, run, start, stop
from cluster.progress import wait_for

_CONFIG = """\
gateway:
  gatewayRef: {namespace: projectcontour, name: contour}
"""

_CLASSES = """\
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata:
  name: contour
  annotations: {ingressclass.kubernetes.io/is-default-class: "true"}
spec: {controller: projectcontour.io/ingress-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: contour}
spec: {controllerName: projectcontour.io/gateway-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {namespace: projectcontour, name: contour}
spec:
  gatewayClassName: contour
  listeners:
  - {name: http, protocol: HTTP, port: 80, allowedRoutes: {namespaces: {from: All}}}
  # Without an HTTPS listener, Contour drops all but the first path of every Ingress.
  - name: https
    protocol: HTTPS
    port: 443
    tls: {certificateRefs: [{name: ingress}]}
    allowedRoutes: {namespaces: {from: All}}
"""


def start_ingress() -> None:
    """Install the CRDs and the classes, then start Contour and the Envoy that it configures."""
    _install_crds()
    kubectl("create", "namespace", "projectcontour")
    certificate = [f"--cert={layout().pki}/ingress.crt", f"--key={layout().pki}/ingress.key"]
    kubectl("--namespace=projectcontour", "create", "secret", "tls", "ingress", *certificate)
    classes = _write("ingress-classes.yaml", _CLASSES)
    wait_for("Gateway API being served", lambda: "gateways" in kubectl("api-resources", "-o", "name"), 30)
    kubectl("apply", "--server-side", "-f", str(classes))
    start(
        "contour",
        program("contour"),
        "serve",
        "--insecure",
        f"--kubeconfig={layout().kubeconfig}",
        f"--config-path={_write('contour.yaml', _CONFIG)}",
        "--xds-address=127.0.0.1",
        "--xds-port=8001",
        f"--http-address={NODE_IP}",
        f"--health-address={NODE_IP}",
        "--disable-leader-election",
        f"--ingress-status-address={NODE_IP}",
    )
    bootstrap = layout().config / "envoy.json"
    admin = f"--admin-address={layout().root}/envoy-admin.sock"
    run(program("contour"), "bootstrap", bootstrap, admin, "--xds-address=127.0.0.1", "--xds-port=8001")
    identity = ["--service-node", "envoy", "--service-cluster", "projectcontour"]
    start("envoy", envoy(), "--config-path", bootstrap, *identity, "--use-dynamic-base-id", "--log-level", "warning")
    wait_for("Envoy being configured by Contour", _ready, 60)


def stop_ingress() -> None:
    for name in ("envoy", "contour"):
        stop(name)


def _ready() -> bool:
    for name in ("contour", "envoy"):
        require_running(name)
    return http_status(f"http://{NODE_IP}:8000/healthz") == http_status(f"http://{NODE_IP}:8002/ready") == 200


def _install_crds() -> None:
    """Contour needs its own CRDs and Gateway API's experimental set, for BackendTLSPolicy."""
    contour = go_module_folder("contour", "github.com/projectcontour/contour")
    gateway = go_module_folder("contour", "sigs.k8s.io/gateway-api")
    kubectl("apply", "--server-side", "-f", str(contour / "examples" / "contour" / "01-crds.yaml"))
    kubectl("apply", "--server-side", "-k", str(gateway / "config" / "crd" / "experimental"))


def _write(name: str, text: str) -> Path:
    path = layout().config / name
    path.write_text(text)
    return path
