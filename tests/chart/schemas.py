"""Strict JSON schemas of all kinds that are installed, made from the sources of the local cluster's Go modules."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from chart.helm import CHART
from cluster.binaries import go_module_folder, program

MONITORING = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
Schema = dict[str, Any]


def write_schemas(folder: Path) -> str:
    """Write one file a kind; returns their place in the form that kubeconform takes."""
    for names, schema in (*kubernetes(), *custom()):
        (folder / f"{'-'.join(names).lower()}.json").write_text(json.dumps(schema))
    return f"{folder}/{{{{ .ResourceKind }}}}{{{{ .KindSuffix }}}}.json"


def check(schemas: str, text: str) -> subprocess.CompletedProcess[str]:
    """kubeconform on some manifests; `schemas` is where `write_schemas` put them."""
    command = [str(program("kubeconform")), "-strict", "-summary", "-schema-location", schemas]
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=60)


def kubernetes() -> Iterator[tuple[tuple[str, ...], Schema]]:
    """Name parts and schema of every kind in Kubernetes' own OpenAPI documents."""
    documents = go_module_folder("kubernetes", "k8s.io/kubernetes") / "api/openapi-spec/v3"
    for path in documents.glob("api*__v*_openapi.json"):
        definitions = json.loads(path.read_text().replace("#/components/schemas/", "#/definitions/"))["components"][
            "schemas"
        ]
        strict = {name: closed(schema) for name, schema in definitions.items()}
        for name, schema in definitions.items():
            for kind in schema.get("x-kubernetes-group-version-kind", ()):
                yield name_parts(kind), {"$ref": f"#/definitions/{name}", "definitions": strict}


def custom() -> Iterator[tuple[tuple[str, ...], Schema]]:
    """Name parts and schema of every version of the custom resources that the chart and the operator write."""
    gateway = go_module_folder("contour", "sigs.k8s.io/gateway-api") / "config/crd/standard"
    monitoring = go_module_folder("kubeconform", MONITORING) / "example/prometheus-operator-crd"
    for path in (
        CHART / "crds/kronosdeployments.yaml",
        gateway / "gateway.networking.k8s.io_httproutes.yaml",
        monitoring / "monitoring.coreos.com_podmonitors.yaml",
        monitoring / "monitoring.coreos.com_servicemonitors.yaml",
        monitoring / "monitoring.coreos.com_prometheusrules.yaml",
    ):
        spec = yaml.safe_load(path.read_text())["spec"]
        for version in spec["versions"]:
            schema = version["schema"]["openAPIV3Schema"]
            # What every object has, whether or not a CRD says so; of the metadata it may only restrict some.
            metadata = {**schema["properties"].get("metadata", {}), "additionalProperties": True}
            schema["properties"] |= {"apiVersion": {}, "kind": {}, "metadata": metadata}
            kind = {"group": spec["group"], "version": version["name"], "kind": spec["names"]["kind"]}
            yield name_parts(kind), closed(schema)


def name_parts(kind: dict[str, str]) -> tuple[str, ...]:
    """As kubeconform names a schema: of the group only what stands before the first dot."""
    return tuple(filter(None, (kind["kind"], kind["group"].partition(".")[0], kind["version"])))


def closed(schema: Any) -> Any:
    """A schema in which every object with named properties refuses other names."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: closed(part) for key, part in schema.items()}
    named = isinstance(schema.get("properties"), dict) and schema.get("type") == "object"
    if named and not schema.get("x-kubernetes-preserve-unknown-fields"):
        kept.setdefault("additionalProperties", False)
    return kept
