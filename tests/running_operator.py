"""The operator as a real process, with the rights and settings that the chart gives it."""

import base64
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from chart.helm import NAMESPACE, Helm
from cluster.binaries import program
from cluster.layout import REPOSITORY
from cluster.plane import TIED, Manifest, Plane, free_ports
from cluster.processes import run

RIGHTS = ("ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "Lease")
PREFIX = "KRONOS_OPERATOR_"
# An operator without a namespace of its own keeps no Lease.
NO_LEASE = {f"{PREFIX}NAMESPACE": ""}
STOP_SECONDS = 20
WRITES = {"create", "update", "patch", "delete"}
Settings = dict[str, str]


@dataclass(frozen=True)
class Installed:
    """What the chart gives an operator: an account with rights, and settings."""

    account: str
    settings: Settings

    @property
    def user(self) -> str:
        return f"system:serviceaccount:{NAMESPACE}:{self.account}"


def install_rights(plane: Plane, folder: Path, release: str = "kronos", **values: Any) -> Installed:
    """Apply what the chart grants with these values; the operator itself is run by hand."""
    rendered = Helm(str(program("helm")), folder).render(release, kronosDeployment={"create": False}, **values)
    rights = [manifest for kind in RIGHTS for manifest in rendered.all(kind)]
    for namespace in {manifest["metadata"].get("namespace", NAMESPACE) for manifest in rights}:
        plane.create_namespace(namespace)
    path = folder / f"{release}.yaml"
    path.write_text(yaml.safe_dump_all(rights))
    kubectl: list[str | Path] = [program("kubectl"), "--kubeconfig", plane.site.files.kubeconfig]
    run(*kubectl, "apply", "--server-side", "-f", path)
    [account] = rendered.all("ServiceAccount")
    return Installed(account["metadata"]["name"], rendered.operator_settings | {f"{PREFIX}NAMESPACE": NAMESPACE})


def is_write(entry: Manifest) -> bool:
    """Whether an entry of the audit log is a write of anything but a Lease."""
    return entry["verb"] in WRITES and entry["objectRef"]["resource"] != "leases"


class RunningOperator:
    """A process of its own, known to the API server by a token of its own."""

    def __init__(self, plane: Plane, folder: Path, settings: Settings, token: str, server: str | None = None) -> None:
        self._plane = plane
        self._token_id = _claims(token)["jti"]
        self.log_file = folder / "operator.log"
        kubeconfig = plane.kubeconfig(folder / "kubeconfig", token, server)
        [port] = free_ports(1)
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("KUBE", PREFIX))}
        environment |= {"KUBECONFIG": str(kubeconfig), "PYTHONPATH": str(REPOSITORY / "operator")}
        environment |= {**settings, f"{PREFIX}PROBE_PORT": str(port)}
        with self.log_file.open("wb") as log:
            command = [*TIED, sys.executable, "-m", "kronos_operator"]
            self.process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=5)

    @property
    def log(self) -> str:
        """What it has logged so far."""
        return self.log_file.read_text()

    def probe(self, path: str) -> int:
        """The status of an answer; 0 where there is none in time."""
        try:
            return self._client.get(path).status_code
        except httpx.TransportError:
            return 0

    def metrics(self) -> dict[str, Metric]:
        """What Prometheus reads, by family; empty before it listens."""
        try:
            text = self._client.get("/metrics").text
        except httpx.TransportError:
            return {}
        return {family.name: family for family in text_string_to_metric_families(text)}

    def metric(self, family: str, sample: str = "", **labels: str) -> float:
        """The sum of a metric's samples with these labels; 0 where there are none."""
        found = self.metrics().get(family)
        samples = found.samples if found else []
        wanted = [each for each in samples if each.name == (sample or family) and labels.items() <= each.labels.items()]
        return sum(each.value for each in wanted)

    def requests(self) -> list[Manifest]:
        """What it asked of the API server, by the audit log."""
        ours = f"JTI={self._token_id}"
        key = "authentication.kubernetes.io/credential-id"
        return [entry for entry in self._plane.audit() if ours in entry["user"].get("extra", {}).get(key, ())]

    def leads(self) -> bool:
        return self.metric("kronos_operator_leader") == 1

    def signal(self, sent: signal.Signals) -> None:
        self.process.send_signal(sent)

    def exit_code(self, seconds: float = STOP_SECONDS) -> int:
        """Waits for its end."""
        return self.process.wait(seconds)

    def close(self) -> None:
        """End it whatever it does."""
        self._client.close()
        if self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@contextmanager
def running_operator(
    plane: Plane, installed: Installed, server: str | None = None, **settings: str
) -> Iterator[RunningOperator]:
    """An operator until the block ends, with these settings besides the chart's."""
    token = plane.token(NAMESPACE, installed.account)
    with tempfile.TemporaryDirectory() as folder:
        operator = RunningOperator(plane, Path(folder), installed.settings | settings, token, server)
        try:
            yield operator
        finally:
            operator.close()


def _claims(token: str) -> dict[str, Any]:
    """What a token says, unverified (RFC 7519)."""
    claims = token.split(".")[1]
    content: dict[str, Any] = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    return content
