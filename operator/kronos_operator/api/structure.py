"""How the parts of the resource are typed: frozen, closed, camel case outside, with rules the API server can check."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Manifest = dict[str, Any]


class Structure(BaseModel):
    """One object of the resource's schema.

    Unknown fields are an error: the API server prunes them, so one that arrives here belongs to a newer schema.
    """

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid")

    def manifest(self) -> Manifest:
        """The object as Kubernetes spells it, without what was left out."""
        return self.model_dump(by_alias=True, exclude_none=True, mode="json")


def rules(*pairs: tuple[str, str]) -> Callable[[dict[str, Any]], None]:
    """CEL validations for a schema, as (expression, sentence shown to the user).

    Source: https://kubernetes.io/docs/reference/using-api/cel/ (CRD validation rules).
    """

    def extend(schema: dict[str, Any]) -> None:
        schema["x-kubernetes-validations"] = [{"rule": rule, "message": message} for rule, message in pairs]

    return extend


def keyed_by(*keys: str) -> dict[str, Any]:
    """Marks a list as a map, so that two writers can own entries of it (list-type map)."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


def _int_or_string(schema: dict[str, Any]) -> None:
    schema.clear()
    schema["x-kubernetes-int-or-string"] = True


def _anything(schema: dict[str, Any]) -> None:
    schema.clear()
    schema.update({"type": "object", "x-kubernetes-preserve-unknown-fields": True})


IntOrString = Annotated[int | str, Field(json_schema_extra=_int_or_string)]
Anything = Annotated[dict[str, Any], Field(json_schema_extra=_anything)]

# The names that Kubernetes accepts: RFC 1123 labels and subdomains, label keys and values, quantities.
LABEL_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
SUBDOMAIN_PATTERN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
HOST_PATTERN = r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
LABEL_VALUE_PATTERN = r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$"
QUALIFIED_PATTERN = r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"
QUANTITY_PATTERN = r"^([0-9]+|[0-9]*\.[0-9]+)(m|k|Ki|[MGTPE]i?)?$"

ObjectName = Annotated[str, Field(pattern=SUBDOMAIN_PATTERN, min_length=1, max_length=253)]
QualifiedName = Annotated[str, Field(pattern=QUALIFIED_PATTERN, min_length=1, max_length=317)]
LabelValue = Annotated[str, Field(pattern=LABEL_VALUE_PATTERN, max_length=63)]


def _quantity(schema: dict[str, Any]) -> None:
    schema.clear()
    schema.update(
        {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "pattern": QUANTITY_PATTERN,
            "x-kubernetes-int-or-string": True,
        }
    )


Quantity = Annotated[int | str, Field(json_schema_extra=_quantity)]
