"""What the e2e tests do again and again: apply, read, wait, within one namespace."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from cluster.target import Target

NAME = "k"
# Namespaces of tests carry it.
MARK = "kronos.dev/e2e=true"
# Every owned object carries it.
OWNED = f"kronos.dev/deployment={NAME}"
# Nodes that do not exist: pods of such a pool stay Pending and cost nothing.
NOWHERE = {"kubernetes.io/hostname": "nowhere"}
SMALL = {"requests": {"cpu": "100m", "memory": "512Mi"}}
KINDS = "deployments,services,ingresses,serviceaccounts,poddisruptionbudgets"


def resource(spec: dict[str, Any], name: str = NAME) -> dict[str, Any]:
    metadata = {"name": name}
    return {"apiVersion": "kronos.dev/v1alpha1", "kind": "KronosDeployment", "metadata": metadata, "spec": spec}


def idle_pools(cpu: int = 1, gpu: int = 1) -> dict[str, Any]:
    """A spec whose pods are never scheduled: for tests of what the operator writes."""
    return {
        "cpu": {"replicas": cpu, "nodeSelector": NOWHERE},
        "gpu": {"replicas": gpu, "nodeSelector": NOWHERE},
        "ingress": {"hosts": [f"{NAME}.example.com"]},
    }


@dataclass(frozen=True)
class Workbench:
    """One namespace of one cluster."""

    target: Target
    namespace: str

    def kubectl(self, *arguments: str | Path) -> str:
        return self.target.kubectl("--namespace", self.namespace, *arguments)

    def read(self, *arguments: str) -> Any:
        return json.loads(self.kubectl("get", *arguments, "-o", "json"))

    def items(self, kinds: str = KINDS, selector: str = OWNED) -> dict[str, Any]:
        """Objects with a label, by kind and name."""
        found = self.read(kinds, "-l", selector)["items"]
        return {f"{item['kind']}/{item['metadata']['name']}": item for item in found}

    def apply(self, manifest: dict[str, Any]) -> None:
        self.pipe(manifest, "apply", "--server-side", "-f", "-")

    def refusal(self, manifest: dict[str, Any]) -> str:
        """What the API server says against a manifest; empty when it takes it. Nothing is stored."""
        return self.pipe(manifest, "apply", "--server-side", "--dry-run=server", "-f", "-", check=False)

    def patch(self, spec: dict[str, Any], name: str = NAME) -> None:
        self.kubectl("patch", "kronosdeployment", name, "--type=merge", "-p", json.dumps({"spec": spec}))

    def pipe(self, manifest: dict[str, Any], *arguments: str, check: bool = True) -> str:
        """Give kubectl a manifest on its standard input; what it wrote to standard error."""
        options = ["--kubeconfig", str(self.target.kubeconfig), "--namespace", self.namespace]
        command = [str(self.target.tool("kubectl")), *options, *arguments]
        done = subprocess.run(command, input=json.dumps(manifest), text=True, capture_output=True, check=False)
        if check and done.returncode:
            raise AssertionError(done.stderr)
        return done.stderr if done.returncode else ""

    def is_alone(self) -> bool:
        """Whether no other test's namespace is left."""
        return len(self.target.read("namespaces", "-l", MARK)["items"]) == 1

    def replicas(self, pool: str) -> int | None:
        """What the pool's Deployment asks for; None before there is one."""
        found = self.items("deployments").get(f"Deployment/{NAME}-{pool}")
        return found["spec"]["replicas"] if found else None

    def ready(self, name: str = NAME) -> bool:
        return self.condition("Ready", name).get("status") == "True"

    def condition(self, kind: str, name: str = NAME) -> dict[str, Any]:
        """A condition that speaks of the current generation; empty until there is one."""
        found = self.read("kronosdeployment", name)
        status = found.get("status", {})
        if status.get("observedGeneration") != found["metadata"]["generation"]:
            return {}
        return next((c for c in status.get("conditions", []) if c["type"] == kind), {})


@contextmanager
def own_namespace(target: Target) -> Iterator[Workbench]:
    """A namespace that is deleted with all that is in it."""
    namespace = f"e2e-{uuid4().hex[:8]}"
    target.kubectl("create", "namespace", namespace)
    try:
        target.kubectl("label", "namespace", namespace, MARK)
        yield Workbench(target, namespace)
    finally:
        target.kubectl("delete", "namespace", namespace, "--wait=false")


def wait_until(what: str, holds: Callable[[], bool], seconds: float) -> float:
    """Poll until something holds, and return how long that took in seconds.

    Raises:
        AssertionError: it did not hold in time.
    """
    began = time.monotonic()
    while not holds():
        waited = time.monotonic() - began
        assert waited < seconds, f"{what}: not after {waited:.0f} s"
        time.sleep(0.05)
    return time.monotonic() - began
