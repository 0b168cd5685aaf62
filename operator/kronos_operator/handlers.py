"""The triggers: every event on a resource or on something it owns puts the resource's key into the queue."""

from collections.abc import Callable
from typing import Any, cast

import kopf

from kronos_operator.api import GROUP, PLURAL, VERSION
from kronos_operator.cluster import Key
from kronos_operator.identity import DEPLOYMENT_LABEL, FIELD_MANAGER
from kronos_operator.kinds import OBSERVED
from kronos_operator.workqueue import Urgency, WorkQueue

# An API server may be away for long: nearly an hour before the process gives up and is started again.
RECONNECT_SECONDS = [1, 1, 2, 3, *[5] * 700]

# What we write comes back as events, and one change of a pool as several: they are answered together.
ECHO_SECONDS = 0.15

# Types of events that may move a route; that an owned object is there is mostly what we have just seen to.
CHANGES = {"MODIFIED", "DELETED"}

Login = Callable[..., kopf.ConnectionInfo | None]


def registry(queue: WorkQueue[Key], login: Login = kopf.login_via_client) -> kopf.OperatorRegistry:
    """Handlers that fill the queue.

    Only `on.event` is used: kopf retries nothing in it, so it does nothing but enqueue; and it needs no finalizer,
    which would keep resources from being deleted once the operator is gone.
    """
    handlers = kopf.OperatorRegistry()

    kopf.on.login(registry=handlers)(login)

    @kopf.on.event(GROUP, VERSION, PLURAL, registry=handlers)
    async def resource(
        type: str | None, namespace: str | None, name: str, meta: kopf.Meta, status: kopf.Status, **_: Any
    ) -> None:
        key = Key(str(namespace), name)
        if type == "DELETED":
            queue.add(key)
        elif meta.get("generation") != status.get("observedGeneration"):
            queue.add(key, Urgency.HIGH if type == "MODIFIED" else Urgency.NORMAL)
        else:
            queue.add_after(key, ECHO_SECONDS, Urgency.LOW)

    async def owned(type: str | None, namespace: str | None, labels: kopf.Labels, **_: Any) -> None:
        urgency = Urgency.NORMAL if type in CHANGES else Urgency.LOW
        queue.add_after(Key(str(namespace), labels[DEPLOYMENT_LABEL]), ECHO_SECONDS, urgency)

    for kind in OBSERVED:
        kopf.on.event(kind.group, kind.version, kind.plural, registry=handlers)(owned)
    return handlers


class NoDiffs(kopf.DiffBaseStorage):
    """Remembers nothing of an object: nobody asks what changed, and copying every event's object costs."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        """The part of an object that is compared: nothing."""
        return cast(kopf.BodyEssence, {})

    def fetch(self, **_: Any) -> kopf.BodyEssence | None:
        """What was remembered: nothing."""
        return None

    def store(self, **_: Any) -> None:
        """Remember nothing."""


def kopf_settings(namespaces: tuple[str, ...]) -> kopf.OperatorSettings:
    """kopf as a plain event source: no traces on any object, nothing posted, owned kinds filtered by the server."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.scanning.disabled = bool(namespaces)
    settings.networking.error_backoffs = RECONNECT_SECONDS
    # Never written, since no handler needs them; a name of our own all the same.
    settings.persistence.finalizer = f"{GROUP}/{FIELD_MANAGER}"
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=GROUP)
    settings.persistence.diffbase_storage = NoDiffs()
    for kind in OBSERVED:
        settings.watching.label_selectors[kind.group, kind.version, kind.plural] = DEPLOYMENT_LABEL
    return settings
