"""Prints the CustomResourceDefinition that the typed resource describes."""

import sys
from typing import Any

import yaml

from kronos_operator.api import GROUP, KIND, PLURAL, VERSION, Manifest, Spec, Status
from kronos_operator.api.status import PENDING

Schema = dict[str, Any]

# Raised with every release that changes the schema: an upgrade never goes back to a lower one.
SCHEMA_REVISION = 1
REVISION_ANNOTATION = f"{GROUP}/schema-revision"
NAME_PATTERN = "^[a-z]([-a-z0-9]*[a-z0-9])?$"
# NAME-single must still be a valid label of 63 characters, also as part of a pod's name.
NAME_LENGTH = 45
# Where pydantic speaks JSON Schema that a structural schema does not know.
DROPPED = ("title", "default", "$defs", "additionalProperties")


def crd() -> Manifest:
    """The whole definition, in the order in which people read one."""
    names = {"kind": KIND, "listKind": f"{KIND}List", "plural": PLURAL, "singular": KIND.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}", "annotations": {REVISION_ANNOTATION: str(SCHEMA_REVISION)}},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {**names, "shortNames": ["kd"], "categories": ["all"]},
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": printer_columns(),
                    "schema": {"openAPIV3Schema": resource_schema()},
                }
            ],
        },
    }


def printer_columns() -> list[Manifest]:
    """The columns of `kubectl get kd`."""
    ready = ".status.conditions[?(@.type=='Ready')]"
    columns = {
        "Ready": f"{ready}.status",
        "CPU": ".status.pools[?(@.name=='cpu')].summary",
        "GPU": ".status.pools[?(@.name=='gpu')].summary",
        "Batch": ".status.routes.batch.pool",
        "Reason": f"{ready}.reason",
        "URL": ".status.url",
    }
    rows = [{"name": name, "type": "string", "jsonPath": path} for name, path in columns.items()]
    return [*rows, {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}]


def resource_schema() -> Schema:
    """The schema of one object; its default status keeps waiting tools waiting until the operator has looked."""
    status = structural(Status.model_json_schema())
    return {
        "type": "object",
        "description": "Serves the Kronos model from a CPU pool, a GPU pool or both behind one endpoint.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {
                "type": "object",
                "properties": {"name": {"type": "string", "pattern": NAME_PATTERN, "maxLength": NAME_LENGTH}},
            },
            "spec": structural(Spec.model_json_schema()),
            "status": {**status, "default": {"conditions": [PENDING.manifest()]}},
        },
    }


def structural(schema: Schema) -> Schema:
    """A JSON Schema as a structural schema: references inlined, null unions unwrapped, defaults told in words."""
    return _structural(schema, schema.get("$defs", {}))


def _structural(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    schema = _resolved(schema, definitions)
    kept = {key: value for key, value in schema.items() if key not in DROPPED}
    if "properties" in schema:
        kept["properties"] = {name: _structural(part, definitions) for name, part in schema["properties"].items()}
    if "items" in schema:
        kept["items"] = _structural(schema["items"], definitions)
    if isinstance(schema.get("additionalProperties"), dict):
        kept["additionalProperties"] = _structural(schema["additionalProperties"], definitions)
    if _is_scalar(schema.get("default")):
        default = str(schema["default"]).lower() if schema["default"] is False else schema["default"]
        kept["description"] = f"{kept['description']} Default: {default}."
    return kept


def _is_scalar(default: object) -> bool:
    return isinstance(default, str | int) and default != ""


def _resolved(schema: Schema, definitions: dict[str, Schema]) -> Schema:
    """Follows references and null unions; what the user of a definition says about it wins."""
    local = {key: value for key, value in schema.items() if key not in ("$ref", "anyOf")}
    if "$ref" in schema:
        target = definitions[schema["$ref"].rsplit("/", 1)[1]]
        return _resolved({**target, **local}, definitions)
    options = [option for option in schema.get("anyOf", []) if option.get("type") != "null"]
    if len(options) == 1:
        return _resolved({**options[0], **local}, definitions)
    return schema


class _Plain(yaml.SafeDumper):
    """Writes every part out: an alias saves bytes that no reader misses."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the signature is PyYAML's
        return True


def main() -> None:
    """Write the definition to standard output."""
    sys.stdout.write("# Generated by `python -m kronos_operator.crd`; edit kronos_operator/api instead.\n")
    yaml.dump(crd(), sys.stdout, Dumper=_Plain, sort_keys=False, width=120)


if __name__ == "__main__":
    main()
