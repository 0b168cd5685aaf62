"""Pod templates as revisions: named by their content, kept once they worked."""

import hashlib
import json
from dataclasses import dataclass

from kronos_operator.api import Manifest, PoolName, Server
from kronos_operator.identity import POOL_LABEL, REVISION_LABEL
from kronos_operator.observed import Observed

KEPT = 2


@dataclass(frozen=True, slots=True)
class Revision:
    """A pod template and its digest; the template's label carries the digest, too."""

    digest: str
    template: Manifest
    number: int = 0


def revision(template: Manifest) -> Revision:
    """Name a template by its content and label its pods with that name."""
    text = json.dumps(template, sort_keys=True).encode()
    digest = hashlib.sha256(text).hexdigest()[:10]
    labels = {**template["metadata"]["labels"], REVISION_LABEL: digest}
    return Revision(digest, {**template, "metadata": {**template["metadata"], "labels": labels}})


def revision_of(pod: Manifest) -> str | None:
    """The digest of the template that a pod was made from."""
    digest: str | None = pod["metadata"]["labels"].get(REVISION_LABEL)
    return digest


def stored_revisions(pool: PoolName, seen: Observed) -> list[Revision]:
    """The pool's templates that once worked, the latest last.

    Named by what cannot be edited, the data; the object's own label is for people.
    """
    found = [
        Revision(digest, template, live.get("revision", 0))
        for key, live in seen.objects.items()
        if key.kind == "ControllerRevision" and live["metadata"]["labels"].get(POOL_LABEL) == pool
        if (template := (live.get("data") or {}).get("template"))
        if (digest := template["metadata"]["labels"].get(REVISION_LABEL))
    ]
    return sorted(found, key=lambda each: each.number)


def kept_revisions(stored: list[Revision], proven: Revision | None) -> list[Revision]:
    """The templates to keep: the latest few, and as the latest of all the one that works now."""
    if proven is None or (stored and stored[-1].digest == proven.digest):
        return stored[-KEPT:]
    number = stored[-1].number + 1 if stored else 1
    others = [each for each in stored if each.digest != proven.digest]
    return [*others, Revision(proven.digest, proven.template, number)][-KEPT:]


def revision_name(server: Server, pool: PoolName, digest: str) -> str:
    """Name of the ControllerRevision that keeps a template."""
    return f"{server.name}-{pool}-{digest}"
