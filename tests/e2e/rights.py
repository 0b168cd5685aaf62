"""What a service account may do, and what it asked the API server for."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from cluster.target import Target


class Right(NamedTuple):
    """One verb on one kind; the resource includes the subresource."""

    group: str
    resource: str
    verb: str


class Account(NamedTuple):
    namespace: str
    name: str

    @property
    def user(self) -> str:
        return f"system:serviceaccount:{self.namespace}:{self.name}"


def granted(target: Target, account: Account) -> set[Right]:
    """All rights of the roles that are bound to an account."""
    rights: set[Right] = set()
    for binding in target.read("clusterrolebindings,rolebindings", "--all-namespaces")["items"]:
        subjects = [(each.get("namespace"), each["name"]) for each in binding.get("subjects", ())]
        if account in subjects:
            reference, namespace = binding["roleRef"], binding["metadata"].get("namespace", "default")
            role = target.read(reference["kind"].lower(), reference["name"], "--namespace", namespace)
            rights |= set(_rights(role["rules"]))
    return rights


def asked(log: Path, account: Account, since: str) -> Iterator[dict[str, Any]]:
    """The account's requests for objects from a time on, as the audit log has them, and what was split off from it."""
    for part in log.parent.glob(f"{log.stem}*{log.suffix}"):
        for line in part.read_text().splitlines(keepends=True):
            if account.user in line and line.endswith("\n"):
                entry = json.loads(line)
                mine = entry["user"]["username"] == account.user
                if mine and "objectRef" in entry and entry["requestReceivedTimestamp"] >= since:
                    yield entry


def used(entries: Iterable[dict[str, Any]]) -> set[Right]:
    """The rights that requests needed; a server-side apply that makes an object needs create, too."""
    rights = set()
    for entry in entries:
        rights.add(_right(entry, entry["verb"]))
        if entry["verb"] == "patch" and entry.get("responseStatus", {}).get("code") == 201:
            rights.add(_right(entry, "create"))
    return rights


def refused(entries: Iterable[dict[str, Any]]) -> set[Right]:
    return {_right(entry, entry["verb"]) for entry in entries if _decision(entry) == "forbid"}


def _decision(entry: dict[str, Any]) -> str:
    return str(entry.get("annotations", {}).get("authorization.k8s.io/decision"))


def _rights(rules: list[dict[str, Any]]) -> Iterator[Right]:
    for rule in rules:
        for group in rule["apiGroups"]:
            yield from (Right(group, resource, verb) for resource in rule["resources"] for verb in rule["verbs"])


def _right(entry: dict[str, Any], verb: str) -> Right:
    about = entry["objectRef"]
    resource = "/".join(filter(None, (about["resource"], about.get("subresource"))))
    return Right(about.get("apiGroup", ""), resource, verb)
