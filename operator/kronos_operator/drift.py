"""Tells whether an apply would change a live object, so that an idle operator sends nothing."""

import json
from collections.abc import Mapping
from typing import Any

from kronos_operator.api import Manifest
from kronos_operator.identity import FIELD_MANAGER

# Identify the object; the API server keeps them out of the managed fields.
UNMANAGED = {"apiVersion", "kind"}
UNMANAGED_METADATA = {"name", "namespace", "uid"}


def drifted(wanted: Manifest, live: Manifest) -> bool:
    """Whether the live object differs from what applying `wanted` would leave.

    Compares field by field along our entry of metadata.managedFields: it says where maps and lists are merged and
    where they are one value, and which fields we applied last time and now leave out.
    Source: FieldsV1 in https://kubernetes.io/docs/reference/using-api/server-side-apply/.
    """
    fields = _applied_fields(live)
    if fields is None:
        return True
    metadata = {key: value for key, value in wanted["metadata"].items() if key not in UNMANAGED_METADATA}
    rest = {key: value for key, value in wanted.items() if key not in UNMANAGED}
    return not _same({**rest, "metadata": metadata}, live, fields)


def gives_up_replicas(wanted: Manifest, live: Manifest) -> bool:
    """Whether we applied the number of replicas last time and now leave it out.

    Leaving it out as its only owner would reset it to 1.
    """
    fields = _applied_fields(live) or {}
    return "replicas" not in wanted["spec"] and "f:replicas" in fields.get("f:spec", {})


def _applied_fields(live: Manifest) -> Mapping[str, Any] | None:
    for entry in live["metadata"].get("managedFields", ()):
        ours = entry.get("manager") == FIELD_MANAGER and entry.get("operation") == "Apply"
        if ours and not entry.get("subresource"):
            fields: Mapping[str, Any] = entry["fieldsV1"]
            return fields
    return None


def _same(wanted: Any, live: Any, fields: Mapping[str, Any]) -> bool:
    parts = {key: value for key, value in fields.items() if key != "."}
    if not parts:
        return _same_value(wanted, live)
    if isinstance(wanted, dict):
        return _same_map(wanted, live, parts)
    if isinstance(wanted, list):
        return _same_list(wanted, live, parts)
    return False


def _same_value(wanted: Any, live: Any) -> bool:
    # Kubernetes leaves empty values out when it stores an object.
    return bool(wanted == live or (not wanted and not live))


def _same_map(wanted: Manifest, live: Any, fields: Mapping[str, Any]) -> bool:
    if not isinstance(live, dict) or {f"f:{key}" for key in wanted} != set(fields):
        return False
    return all(_same(value, live.get(key), fields[f"f:{key}"]) for key, value in wanted.items())


def _same_list(wanted: list[Any], live: Any, fields: Mapping[str, Any]) -> bool:
    if not isinstance(live, list) or len(wanted) != len(fields):
        return False
    return all(_same_item(wanted, live, key, part) for key, part in fields.items())


def _same_item(wanted: list[Any], live: list[Any], key: str, fields: Mapping[str, Any]) -> bool:
    """An item is named by some of its fields, k:{"name":"a"}, or is a member of a set, v:"a"."""
    name = json.loads(key[2:])
    if key.startswith("v:"):
        return name in wanted and name in live
    ours, theirs = _named(wanted, name), _named(live, name)
    return ours is not None and theirs is not None and _same(ours, theirs, fields)


def _named(items: list[Any], name: Manifest) -> Manifest | None:
    return next((item for item in items if all(item.get(key) == value for key, value in name.items())), None)
