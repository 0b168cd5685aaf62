"""A second release of the chart, in a namespace of its own, by either Helm."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cluster.processes import run
from cluster.release import CHART, RELEASE
from cluster.target import Target
from e2e.workbench import SMALL, Workbench
from kronos_operator.crd import REVISION_ANNOTATION, SCHEMA_REVISION

NAME = "desk"
CRD = "kronosdeployments.kronos.dev"
# A field that the previous definition does not have yet.
NEW_FIELD = ("spec", "server", "defaultPredLen")
# Kinds whose objects come and go by themselves.
PASSING = {
    "events",
    "events.events.k8s.io",
    "pods.metrics.k8s.io",
    "nodes.metrics.k8s.io",
    "leases.coordination.k8s.io",
}


@dataclass(frozen=True)
class Release:
    """One release, whether or not it is installed."""

    helm_program: Path
    bench: Workbench
    folder: Path

    @property
    def target(self) -> Target:
        return self.bench.target

    def helm(self, *arguments: str | Path) -> str:
        where = ("--kubeconfig", self.target.kubeconfig, "--namespace", self.bench.namespace)
        return run(self.helm_program, *where, *arguments)

    def values(self) -> Path:
        """Those of the release under test, but for one namespace only, and with the chart's number of operators."""
        values = json.loads(self.target.helm("get", "values", RELEASE, "--output", "json"))
        values["operator"].pop("replicas", None)
        values["watchNamespaces"] = [self.bench.namespace]
        values["kronosDeployment"] = {"spec": {"cpu": {"resources": SMALL}, "ingress": None}}
        path = self.folder / "values.json"
        path.write_text(json.dumps(values))
        return path

    def previous_chart(self) -> Path:
        """The chart as an earlier version, with an earlier definition."""
        chart = self.folder / "previous"
        shutil.copytree(CHART, chart)
        about = yaml.safe_load((chart / "Chart.yaml").read_text())
        (chart / "Chart.yaml").write_text(yaml.safe_dump({**about, "version": "0.0.1", "appVersion": "0.0.1"}))
        (chart / "crds" / "kronosdeployments.yaml").write_text(yaml.safe_dump(previous_crd()))
        return chart

    def pods(self) -> dict[str, int]:
        """Restarts of every pod of the pools, by its uid."""
        found = self.bench.read("pods", "-l", "kronos.dev/pool")["items"]
        return {
            pod["metadata"]["uid"]: sum(each["restartCount"] for each in pod["status"].get("containerStatuses", ()))
            for pod in found
        }


def previous_crd() -> dict[str, Any]:
    """Our definition without one field, under the revision before ours."""
    crd: dict[str, Any] = yaml.safe_load((CHART / "crds" / "kronosdeployments.yaml").read_text())
    crd["metadata"]["annotations"][REVISION_ANNOTATION] = str(SCHEMA_REVISION - 1)
    *path, field = NEW_FIELD
    del fields_at(crd, path)[field]
    return crd


def fields_at(crd: dict[str, Any], path: list[str]) -> dict[str, Any]:
    """The schemas of the fields below a path of the resource."""
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for name in path:
        schema = schema["properties"][name]
    fields: dict[str, Any] = schema["properties"]
    return fields


def everything(target: Target, namespace: str) -> set[str]:
    """Kind and name of all that is in a namespace and outside of any."""
    found: set[str] = set()
    for scope, where in (("true", ["--namespace", namespace]), ("false", [])):
        listed = target.kubectl("api-resources", "--verbs=list", f"--namespaced={scope}", "--output=name").split()
        kinds = ",".join(kind for kind in listed if kind not in PASSING)
        found |= set(target.kubectl("get", kinds, *where, "--output=name", "--ignore-not-found").split())
    return found
