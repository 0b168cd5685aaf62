"""Every bound of the definition's schema, with a resource on each side of it."""

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from e2e.whole import SPECS
from e2e.workbench import NAME, resource
from kronos_operator.crd import crd

Schema = dict[str, Any]
# A step is a field's name, EACH for every item of a list, or ANY for every value of a map.
Path = tuple[str, ...]
EACH, ANY = "[]", "{}"


class Bound(NamedTuple):
    """One limit on one field.

    accepted, refused: resources that differ in this field alone; without accepted, the bound is on the field's absence
    or form and the whole spec is its accepted example.
    field: the field as the refusal names it; sentence: what it says.
    """

    path: Path
    keyword: str
    accepted: tuple[Any, ...]
    refused: Any
    field: str
    sentence: str


# Parts of the schema that limit nothing by themselves.
FORM = {
    "description",
    "properties",
    "items",
    "additionalProperties",
    "anyOf",  # says that a quantity may be a number
    "x-kubernetes-list-type",  # told by its keys
    "x-kubernetes-int-or-string",  # told by its pattern
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-validations",  # have examples of their own, by hand
}
# What each pattern takes and refuses.
PATTERNS: dict[str, tuple[str, str]] = {
    "^[a-z]([-a-z0-9]*[a-z0-9])?$": ("kronos-2", "2-kronos"),
    "^[0-9a-f]{40}$": ("0" * 40, "m" * 40),
    "^[0-9a-f]{64}$": ("0" * 64, "sha256:" + "0" * 57),
    "^[A-Za-z0-9._/-]+$": ("small_2.1/Weights-1", "small weights"),
    "^[A-Za-z_][A-Za-z0-9_]*$": ("HTTP_PROXY_2", "HTTP-PROXY"),
    "^([0-9]+|[0-9]*\\.[0-9]+)(m|k|Ki|[MGTPE]i?)?$": ("1.5Gi", "1.5 GB"),
    "^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$": ("Quant_2.b", "quant team"),
    "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$": ("nvidia.com/mig-1g.5gb", "a/b/c"),
    "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$": ("gateways", "gate.ways"),
    "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$": ("hub.token-2", "Hub_Token"),
    "^(\\*\\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$": ("*.example.com", "example.*"),
    "^[A-Za-z0-9][A-Za-z0-9_-]*(\\.[A-Za-z0-9_-]+)*(/[A-Za-z0-9][A-Za-z0-9_-]*(\\.[A-Za-z0-9_-]+)*)?$": (
        "owner/model-2.1",
        "owner/../model",
    ),
}


def fields() -> Iterator[tuple[Path, Schema]]:
    """Every part of the definition that people write, with its path."""
    whole = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    name = whole["metadata"]["properties"]["name"]
    yield from _walk({key: limit for key, limit in name.items() if key != "type"}, ("metadata", "name"))
    yield from _walk(whole["spec"], ("spec",))


def bounds() -> Iterator[Bound]:
    """All bounds; raises KeyError for a keyword of the schema that nobody has an example for."""
    for path, schema in fields():
        yield from _unknown_field(path, schema)
        for keyword in schema.keys() - FORM:
            yield from MAKERS[keyword](path, schema)


def _walk(schema: Schema, path: Path) -> Iterator[tuple[Path, Schema]]:
    yield path, schema
    for name, part in schema.get("properties", {}).items():
        yield from _walk(part, (*path, name))
    for key, step in (("items", EACH), ("additionalProperties", ANY)):
        if key in schema:
            yield from _walk(schema[key], (*path, step))


def _minimum(path: Path, schema: Schema) -> Iterator[Bound]:
    least = schema["minimum"]
    yield _bound(path, "minimum", (least,), least - 1, f"should be greater than or equal to {least}")


def _maximum(path: Path, schema: Schema) -> Iterator[Bound]:
    most = schema["maximum"]
    yield _bound(path, "maximum", (most,), most + 1, f"should be less than or equal to {most}")


def _min_length(path: Path, schema: Schema) -> Iterator[Bound]:
    least = schema["minLength"]
    yield _bound(path, "minLength", ("a" * least,), "a" * (least - 1), f"should be at least {least} chars long")


def _max_length(path: Path, schema: Schema) -> Iterator[Bound]:
    most = schema["maxLength"]
    yield _bound(path, "maxLength", ("a" * most,), "a" * (most + 1), f"may not be more than {most} bytes")


def _pattern(path: Path, schema: Schema) -> Iterator[Bound]:
    taken, refused = PATTERNS[schema["pattern"]]
    yield _bound(path, "pattern", (taken,), refused, "should match")


def _enum(path: Path, schema: Schema) -> Iterator[Bound]:
    yield _bound(path, "enum", tuple(schema["enum"]), "Nonsense", "supported values")


def _min_items(path: Path, schema: Schema) -> Iterator[Bound]:
    least = schema["minItems"]
    yield _bound(path, "minItems", (_items(path, schema, least),), [], f"should have at least {least} items")


def _max_items(path: Path, schema: Schema) -> Iterator[Bound]:
    most = schema["maxItems"]
    full, over = _items(path, schema, most), _items(path, schema, most + 1)
    yield _bound(path, "maxItems", (full,), over, f"must have at most {most} items")


def _max_properties(path: Path, schema: Schema) -> Iterator[Bound]:
    most = schema["maxProperties"]
    (value,) = set(_read(_spec_with(path), path).values())
    full, over = ({f"k{number}": value for number in range(count)} for count in (most, most + 1))
    yield _bound(path, "maxProperties", (full,), over, f"must have at most {most} items")


def _required(path: Path, schema: Schema) -> Iterator[Bound]:
    for name in schema["required"]:
        body = _spec_with((*path, name))
        rest = {key: part for key, part in _read(body, path).items() if key != name}
        yield Bound((*path, name), "required", (), _placed(body, path, rest), _told((*path, name)), "Required value")


def _type(path: Path, schema: Schema) -> Iterator[Bound]:
    wrong = {"object": "text", "array": "text", "string": 7, "integer": "text", "boolean": "text"}[schema["type"]]
    yield _bound(path, "type", (), wrong, f"must be of type {schema['type']}")


def _keys(path: Path, schema: Schema) -> Iterator[Bound]:
    twice = _read(_spec_with(path), path) * 2
    yield _bound(path, "x-kubernetes-list-map-keys", (_items(path, schema, 2),), twice, "Duplicate value")


def _unknown_field(path: Path, schema: Schema) -> Iterator[Bound]:
    if "properties" in schema:
        yield _bound((*path, "unknownField"), "unknown field", (), 1, "unknown field")


MAKERS: dict[str, Callable[[Path, Schema], Iterator[Bound]]] = {
    "minimum": _minimum,
    "maximum": _maximum,
    "minLength": _min_length,
    "maxLength": _max_length,
    "pattern": _pattern,
    "enum": _enum,
    "minItems": _min_items,
    "maxItems": _max_items,
    "maxProperties": _max_properties,
    "required": _required,
    "type": _type,
    "x-kubernetes-list-map-keys": _keys,
}


def _bound(path: Path, keyword: str, accepted: tuple[Any, ...], refused: Any, sentence: str) -> Bound:
    body = _spec_with(path[:-1] if keyword == "unknown field" else path)
    taken = tuple(_placed(body, path, value) for value in accepted)
    return Bound(path, keyword, taken, _placed(body, path, refused), _told(path), sentence)


def _spec_with(path: Path) -> Any:
    """The first whole resource in which a path occurs."""
    for spec in SPECS:
        body = resource(spec, NAME)
        try:
            _read(body, path)
        except (KeyError, IndexError):
            continue
        return body
    raise KeyError(f"{path} occurs in no spec of e2e.whole")


def _items(path: Path, schema: Schema, count: int) -> list[Any]:
    """So many items like the first, told apart by the keys of the list where it has some."""
    first = _read(_spec_with(path), path)[0]
    keys = schema.get("x-kubernetes-list-map-keys", ())[:1]
    return [{**first, **dict.fromkeys(keys, f"k{number}")} if keys else first for number in range(count)]


def _step(found: Any, step: str) -> Any:
    if step == EACH:
        return 0
    return next(iter(found)) if step == ANY else step


def _read(body: Any, path: Path) -> Any:
    for step in path:
        body = body[_step(body, step)]
    return body


def _placed(body: Any, path: Path, value: Any) -> Any:
    """A copy in which the value at a path is another; parts of the body may be the same dict, of the copy none are."""
    copy = json.loads(json.dumps(body))
    parent = _read(copy, path[:-1])
    parent[_step(parent, path[-1])] = value
    return copy


def _told(path: Path) -> str:
    """A path as the API server spells it: spec.cpu.env[0].name."""
    return ".".join(path).replace(f".{EACH}", "[0]").replace(f".{ANY}", "")
