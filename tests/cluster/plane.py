"""A control plane of one's own: processes on loopback and files in one folder, gone with whoever started them."""

import json
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import yaml

from cluster.control_plane import Command, api_server, controller_manager, etcd, scheduler
from cluster.fake_node import fake_node, kwok
from cluster.layout import REPOSITORY, Layout, Site
from cluster.pki import create_certificates, create_kubeconfigs
from cluster.progress import StepFailed, wait_for

CRD = REPOSITORY / "charts" / "kronos" / "crds" / "kronosdeployments.yaml"
CRD_PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/kronosdeployments.kronos.dev"
MANAGER = "test"
START_SECONDS = 90
Manifest = dict[str, Any]

# The kernel ends a daemon with its starter, however that ends.
TIED = ["setpriv", "--pdeathsig", "KILL"]


@contextmanager
def control_plane(folder: Path, *, nodes: bool = False) -> Iterator["Plane"]:
    """etcd, API server and controllers with our CRD; with nodes also a scheduler and a node that kwok plays.

    Raises:
        StepFailed: a daemon ended by itself.
        TimeoutError: the API server did not become ready.
    """
    ports = free_ports(3)
    plane = Plane(Site(Layout(folder / "plane"), "127.0.0.1", *ports))
    try:
        plane.start(nodes=nodes)
        yield plane
    finally:
        plane.stop()


def free_ports(count: int) -> list[int]:
    """Ports on loopback that nobody listens on."""
    found = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in found]
    for each in found:
        each.close()
    return ports


@dataclass
class Plane:
    """A control plane, and requests to it in its administrator's name."""

    site: Site
    _daemons: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def start(self, *, nodes: bool) -> None:
        self.site.files.create()
        create_certificates(self.site)
        create_kubeconfigs(self.site)
        self._run("etcd", etcd(self.site))
        # No Endpoints of the API server itself: loopback addresses are refused there.
        self._run("kube-apiserver", [*api_server(self.site), "--endpoint-reconciler-type=none"])
        wait_for("the API server being ready", self._is_ready, START_SECONDS)
        self.apply(CRD_PATH, yaml.safe_load(CRD.read_text()))
        wait_for("the CRD being served", self._serves_ours, START_SECONDS)
        # Now, since the garbage collector looks for new kinds only now and then.
        self._run("kube-controller-manager", [*controller_manager(self.site), "--secure-port=0"])
        if nodes:
            self._run("kube-scheduler", [*scheduler(self.site), "--secure-port=0"])
            self._run("kwok", kwok(self.site))
            self.send("POST", "/api/v1/nodes", fake_node())

    def stop(self) -> None:
        """End everything at once: its data is thrown away."""
        for daemon in reversed(self._daemons.values()):
            daemon.kill()
            daemon.wait()
        self.client.close()

    @cached_property
    def client(self) -> httpx.Client:
        pki = self.site.files.pki
        trust = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        trust.load_cert_chain(pki / "admin.crt", pki / "admin.key")
        return httpx.Client(base_url=self.site.api_url, verify=trust, trust_env=False, timeout=30)

    def send(
        self, method: str, path: str, body: Manifest | None = None, kind: str = "application/json", **query: str
    ) -> Manifest:
        """One request; an error of the API server is raised with what it says."""
        content = None if body is None else json.dumps(body)
        reply = self.client.request(method, path, params=query or None, content=content, headers={"Content-Type": kind})
        if reply.is_error:
            raise AssertionError(f"{method} {path}: {reply.status_code} {reply.text}")
        answer: Manifest = reply.json()
        return answer

    def get(self, path: str) -> Manifest:
        return self.send("GET", path)

    def find(self, path: str) -> Manifest | None:
        """An object, or None where there is none."""
        reply = self.client.get(path)
        return None if reply.status_code == 404 else dict(reply.raise_for_status().json())

    def items(self, path: str) -> list[Manifest]:
        items: list[Manifest] = self.get(path)["items"]
        return items

    def apply(self, path: str, manifest: Manifest) -> Manifest:
        """Server-side apply."""
        return self.send("PATCH", path, manifest, "application/apply-patch+yaml", fieldManager=MANAGER, force="true")

    def patch(self, path: str, change: Manifest) -> Manifest:
        """JSON merge patch."""
        return self.send("PATCH", path, change, "application/merge-patch+json")

    def create_namespace(self, name: str) -> None:
        """Create a namespace unless it is there."""
        self.apply(f"/api/v1/namespaces/{name}", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    def token(self, namespace: str, account: str) -> str:
        """A token of a ServiceAccount; the audit log tells tokens apart."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        answer = self.send("POST", path, {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}})
        return str(answer["status"]["token"])

    def kubeconfig(self, path: Path, token: str, server: str | None = None) -> Path:
        """Write the way in for the bearer of a token, through another server if one is given."""
        authority = {"certificate-authority": str(self.site.files.pki / "ca.crt")}
        cluster = {"server": server} if server else {"server": self.site.api_url, **authority}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "plane", "cluster": cluster}],
            "users": [{"name": "bearer", "user": {"token": token}}],
            "contexts": [{"name": "plane", "context": {"cluster": "plane", "user": "bearer"}}],
            "current-context": "plane",
        }
        path.write_text(json.dumps(config))
        return path

    def audit(self) -> list[Manifest]:
        """What ServiceAccounts asked for, one entry a finished request."""
        lines = self.site.files.audit_log.read_text().splitlines(keepends=True)
        entries = [json.loads(line) for line in lines if line.endswith("\n")]
        return [entry for entry in entries if entry["stage"] == "ResponseComplete"]

    def _run(self, name: str, command: Command) -> None:
        with (self.site.files.logs / f"{name}.log").open("wb") as sink:
            self._daemons[name] = subprocess.Popen([*TIED, *command], stdout=sink, stderr=sink)

    def _is_ready(self) -> bool:
        for name, daemon in self._daemons.items():
            if daemon.poll() is not None:
                log = (self.site.files.logs / f"{name}.log").read_text(errors="replace")
                raise StepFailed(f"{name} ended by itself:\n{log[-1000:]}")
        try:
            return self.client.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def _serves_ours(self) -> bool:
        return self.client.get("/apis/kronos.dev/v1alpha1/kronosdeployments").status_code == 200
