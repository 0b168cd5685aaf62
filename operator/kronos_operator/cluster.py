"""What is read of and written to the cluster for one custom resource."""

import asyncio
import logging
import secrets
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

from kronos_operator.api import Manifest, PoolName, Server, Status
from kronos_operator.connection import Connection, Query, Refused
from kronos_operator.drift import drifted, gives_up_replicas
from kronos_operator.identity import DEPLOYMENT_LABEL, FIELD_MANAGER, HANDOVER_MANAGER, POOL_LABEL, Claim, claim
from kronos_operator.kinds import (
    AUTOSCALER,
    DEPLOYMENT,
    ENDPOINT_SLICE,
    EVENT,
    HTTP_ROUTE,
    OBSERVED,
    OWNED,
    POD,
    RESOURCE,
    Kind,
)
from kronos_operator.observed import ObjectKey, Observed, Problem, is_puzzling, object_key
from kronos_operator.transitions import Happening

logger = logging.getLogger(__name__)

# Kinds that a resource may do without, as long as its spec does not ask for them.
OPTIONAL = (AUTOSCALER, HTTP_ROUTE)
KINDS = {kind.name: kind for kind in OWNED}
# Pods of one resource whose events are read in one look; they tend to fail alike.
EXPLAINED_PODS = 4
NAME_CONFLICT = "NameConflict"
# The API server's word for it, among the causes of a 403.
NAMESPACE_TERMINATING = "NamespaceTerminating"
# The API server's word for a field that somebody else applied, among the causes of a 409. Any other 409 tells that the
# object changed under our hands, and the next look finds it as it is then.
FIELD_CONFLICT = "FieldManagerConflict"
# Answers about the object itself; others are about the API server, and pass.
ABOUT_THE_OBJECT = {400: "Rejected", 403: "Forbidden", 409: NAME_CONFLICT, 422: "Rejected"}


class Unserved(NamedTuple):
    """Why a kind cannot be read, and what to do."""

    reason: str
    message: str


class BeingCollected(Exception):
    """An object of an earlier resource with this name is still there; the garbage collector is about to delete it."""


class Ending(Exception):
    """The namespace is being deleted, and the resource with it: nothing new can be made in it."""


class Key(NamedTuple):
    """Names one custom resource."""

    namespace: str
    name: str


class Cluster:
    """The cluster, as the owner of objects sees it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def read(self, key: Key) -> Manifest | None:
        """The custom resource, or None where it is gone."""
        return await self._connection.get(RESOURCE, key.namespace, key.name)

    async def keys(self, namespace: str | None) -> list[Key]:
        """All custom resources of a namespace, or of the cluster."""
        found = await self._connection.list(RESOURCE, namespace)
        return [Key(item["metadata"]["namespace"], item["metadata"]["name"]) for item in found]

    async def observe(self, server: Server) -> Observed:
        """Everything that carries the resource's label, read at once and not from a cache."""
        ours: Query = [("labelSelector", f"{DEPLOYMENT_LABEL}={server.name}")]
        lists = await asyncio.gather(*(self._list_served(kind, server.namespace, ours) for kind in OBSERVED))
        answers = dict(zip(OBSERVED, lists, strict=True))
        unserved = {kind.name: answer for kind, answer in answers.items() if isinstance(answer, Unserved)}
        found = {kind: [] if isinstance(answer, Unserved) else answer for kind, answer in answers.items()}
        owned = [item for kind in OWNED for item in found[kind]]
        return Observed(
            objects={object_key(item): item for item in owned if claim(server, item) is not Claim.FOREIGN},
            pods=tuple(found[POD]),
            slices=tuple(found[ENDPOINT_SLICE]),
            unserved=unserved,
        )

    async def explain(self, seen: Observed) -> Observed:
        """Add the warnings about pods that are not ready; nothing but the status waits for them."""
        puzzling = [pod for pod in seen.pods if is_puzzling(pod)][:EXPLAINED_PODS]
        warnings = await asyncio.gather(*(self._warnings(pod) for pod in puzzling))
        return replace(seen, warnings=tuple(event for events in warnings for event in events))

    async def apply(self, server: Server, wanted: list[Manifest], seen: Observed) -> Observed:
        """Bring every manifest about, in order; returns what is known afterwards.

        An object that the API server refuses becomes a problem, and the others go on.
        Raises BeingCollected, Ending, and Refused for answers that say nothing about the object, as 500.
        """
        applied: dict[ObjectKey, Manifest] = {}
        problems: list[Problem] = []
        for manifest in wanted:
            key = object_key(manifest)
            if key.kind in seen.unserved:
                problems.append(Problem(key, *seen.unserved[key.kind]))
                continue
            try:
                applied[key] = await self._apply_one(server, manifest, seen.objects.get(key))
            except Refused as refused:
                problems.append(Problem(key, *_explained(refused)))
        return seen.with_applied(applied, tuple(problems))

    async def prune(
        self,
        server: Server,
        wanted: list[Manifest],
        seen: Observed,
        retained: frozenset[PoolName],
        kinds: tuple[Kind, ...],
    ) -> None:
        """Delete objects of these kinds that the resource owns and no longer wants, in reverse order of applying.

        Those of retained pools stay.
        """
        keep = {object_key(manifest) for manifest in wanted}
        names = {kind.name for kind in kinds}
        for key, live in reversed(list(seen.objects.items())):
            spared = key in keep or key.kind not in names or live["metadata"]["labels"].get(POOL_LABEL) in retained
            if not spared and claim(server, live) is Claim.OURS and "deletionTimestamp" not in live["metadata"]:
                await self._delete(server, live)

    async def write_status(self, server: Server, status: Status) -> None:
        """Write the status where it differs from the one that was read."""
        if status == server.status:
            return
        body = {
            "apiVersion": RESOURCE.api_version,
            "kind": RESOURCE.name,
            "metadata": {"name": server.name, "namespace": server.namespace, "uid": server.uid},
            "status": status.manifest(),
        }
        path = RESOURCE.path(server.namespace, server.name, "status")
        await self._connection.apply(path, body, manager=FIELD_MANAGER, force=True)
        before, ready = server.status.condition("Ready"), status.condition("Ready")
        if ready and (before is None or before.reason != ready.reason):
            logger.info("%s/%s: Ready=%s %s", server.namespace, server.name, ready.status, ready.reason)

    async def record(self, server: Server, happening: Happening) -> None:
        """Post an Event about the resource; one that cannot be posted is only logged."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        body = {
            "apiVersion": EVENT.api_version,
            "kind": EVENT.name,
            "metadata": {"name": f"{server.name}.{secrets.token_hex(8)}", "namespace": server.namespace},
            "involvedObject": {
                "apiVersion": RESOURCE.api_version,
                "kind": RESOURCE.name,
                "name": server.name,
                "namespace": server.namespace,
                "uid": server.uid,
            },
            **happening._asdict(),
            "source": {"component": FIELD_MANAGER},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        try:
            await self._connection.send("POST", EVENT.path(server.namespace), body=body)
        except Refused as refused:
            logger.warning("%s/%s: cannot post the event %s: %s", *_name(server), happening.reason, refused)

    async def _warnings(self, pod: Manifest) -> list[Manifest]:
        """Warning events about one pod; not watched, since there are too many of them in a cluster."""
        about = f"involvedObject.uid={pod['metadata']['uid']},type=Warning"
        try:
            return await self._connection.list(EVENT, pod["metadata"]["namespace"], [("fieldSelector", about)])
        except Refused as refused:
            logger.warning("cannot read events, so some causes stay unknown: %s", refused)
            return []

    async def _list_served(self, kind: Kind, namespace: str, query: Query) -> list[Manifest] | Unserved:
        try:
            return await self._connection.list(kind, namespace, query)
        except Refused as refused:
            if kind not in OPTIONAL or refused.status not in (403, 404):
                raise
            if refused.status == 404:
                return Unserved("GatewayAPIMissing", f"the cluster does not serve {kind.name}: install the Gateway API")
            return Unserved("Forbidden", refused.message)

    async def _apply_one(self, server: Server, manifest: Manifest, live: Manifest | None) -> Manifest:
        kind, name = KINDS[manifest["kind"]], manifest["metadata"]["name"]
        path = kind.path(server.namespace, name)
        if live is None:
            # It may be there without our label: whose it is decides.
            live = await self._connection.get(kind, server.namespace, name)
        if live is None:
            logger.info("%s/%s: creating %s %s", *_name(server), kind.name, name)
            return await self._connection.apply(path, manifest, manager=FIELD_MANAGER, force=False)
        _check_claim(server, live)
        if not drifted(manifest, live):
            return live
        if kind is DEPLOYMENT and gives_up_replicas(manifest, live):
            await self._hand_replicas_over(server, path, live)
        logger.info("%s/%s: applying %s %s", *_name(server), kind.name, name)
        metadata = {**manifest["metadata"], "uid": live["metadata"]["uid"]}
        return await self._connection.apply(path, {**manifest, "metadata": metadata}, manager=FIELD_MANAGER, force=True)

    async def _hand_replicas_over(self, server: Server, path: str, live: Manifest) -> None:
        """Let another manager hold the present number, so that our leaving it out does not reset it to 1.

        Only of the version that was read: somebody may have scaled since.
        """
        number = live["spec"]["replicas"]
        logger.info("%s/%s: handing %d replicas over", *_name(server), number)
        identity = {key: live["metadata"][key] for key in ("name", "namespace", "uid", "resourceVersion")}
        body = {"apiVersion": DEPLOYMENT.api_version, "kind": DEPLOYMENT.name, "metadata": identity}
        scale = {**body, "spec": {"replicas": number}}
        await self._connection.apply(path, scale, manager=HANDOVER_MANAGER, force=True)

    async def _delete(self, server: Server, live: Manifest) -> None:
        kind, name = KINDS[live["kind"]], live["metadata"]["name"]
        logger.info("%s/%s: deleting %s %s", *_name(server), kind.name, name)
        body = {"preconditions": {"uid": live["metadata"]["uid"]}, "propagationPolicy": "Background"}
        try:
            await self._connection.send("DELETE", kind.path(server.namespace, name), body=body)
        except Refused as refused:
            # Gone, or replaced by another object: either way not ours to delete any more.
            if refused.status not in (404, 409):
                raise


def _name(server: Server) -> tuple[str, str]:
    return server.namespace, server.name


def _check_claim(server: Server, live: Manifest) -> None:
    match claim(server, live):
        case Claim.COLLECTED:
            raise BeingCollected(f"{live['kind']} {live['metadata']['name']} has a deleted owner")
        case Claim.FOREIGN:
            raise Refused(409, NAME_CONFLICT, "it exists and belongs to somebody else: rename or delete it")


def _explained(refused: Refused) -> tuple[str, str]:
    """Reason and message of a problem; raises what is no problem of the object."""
    if NAMESPACE_TERMINATING in refused.causes:
        raise Ending(refused.message)
    reason = ABOUT_THE_OBJECT.get(refused.status)
    overtaken = refused.status == 409 and refused.reason != NAME_CONFLICT and FIELD_CONFLICT not in refused.causes
    if reason is None or overtaken:
        raise refused
    return reason, refused.message
