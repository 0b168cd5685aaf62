"""Reads from and writes to the API server; the only module that does."""

import asyncio
import json
import logging
from typing import Any, NamedTuple

import aiohttp
from kubernetes.aio.client import ApiClient

from kronos_operator.api import Manifest, PoolName, Server, Status
from kronos_operator.drift import drifted
from kronos_operator.identity import DEPLOYMENT_LABEL, FIELD_MANAGER, POOL_LABEL, Claim, claim
from kronos_operator.kinds import ENDPOINT_SLICE, EVENT, OBSERVED, OWNED, POD, RESOURCE, Kind
from kronos_operator.observed import ObjectKey, Observed, Problem, is_puzzling, object_key

logger = logging.getLogger(__name__)

TIMEOUT = aiohttp.ClientTimeout(total=30)
KINDS = {kind.name: kind for kind in OWNED}
# Pods of one resource whose events are read in one look; they tend to fail alike.
EXPLAINED_PODS = 4
# The body of a delete; owners' children go in the background, as with kubectl.
BACKGROUND = "Background"


class Refused(Exception):
    """The API server answered with an error."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message


class BeingCollected(Exception):
    """An object of an earlier resource with this name is still there; the garbage collector is about to delete it."""


class Key(NamedTuple):
    """Names one custom resource."""

    namespace: str
    name: str


class Cluster:
    """One connection to the API server."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    async def read(self, key: Key) -> Manifest | None:
        """The custom resource, or None where it is gone."""
        return await self._get(RESOURCE, key.namespace, key.name)

    async def keys(self, namespace: str | None) -> list[Key]:
        """All custom resources of a namespace, or of the cluster."""
        answer = await self._request("GET", RESOURCE.path(namespace))
        return [Key(item["metadata"]["namespace"], item["metadata"]["name"]) for item in answer["items"]]

    async def observe(self, server: Server) -> Observed:
        """Everything that carries the resource's label, read at once and not from a cache."""
        selector = [("labelSelector", f"{DEPLOYMENT_LABEL}={server.name}")]
        lists = await asyncio.gather(*(self._list(kind, server.namespace, selector) for kind in OBSERVED))
        found = dict(zip(OBSERVED, lists, strict=True))
        puzzling = [pod for pod in found[POD] if is_puzzling(pod)][:EXPLAINED_PODS]
        warnings = await asyncio.gather(*(self._warnings(pod) for pod in puzzling))
        owned = [item for kind in OWNED for item in found[kind]]
        return Observed(
            objects={object_key(item): item for item in owned if claim(server, item) is not Claim.FOREIGN},
            pods=tuple(found[POD]),
            slices=tuple(found[ENDPOINT_SLICE]),
            warnings=tuple(event for events in warnings for event in events),
        )

    async def apply(self, server: Server, wanted: list[Manifest], seen: Observed) -> Observed:
        """Bring every manifest about, in order; returns what is known afterwards.

        An object that the API server refuses becomes a problem, and the others go on.
        Raises BeingCollected, and Refused for answers that say nothing about the object, as 500.
        """
        applied: dict[ObjectKey, Manifest] = {}
        problems: list[Problem] = []
        for manifest in wanted:
            try:
                live = await self._apply_one(server, manifest, seen.objects.get(object_key(manifest)))
            except Refused as refused:
                problems.append(Problem(object_key(manifest), *_explained(refused)))
            else:
                applied[object_key(manifest)] = live
        return seen.with_applied(applied, tuple(problems))

    async def prune(
        self, server: Server, wanted: list[Manifest], seen: Observed, retained: frozenset[PoolName]
    ) -> None:
        """Delete what the resource owns and no longer wants, in reverse order of applying; not of retained pools."""
        keep = {object_key(manifest) for manifest in wanted}
        for key, live in reversed(list(seen.objects.items())):
            spared = key in keep or live["metadata"]["labels"].get(POOL_LABEL) in retained
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
        await self._server_side_apply(RESOURCE.path(server.namespace, server.name, "status"), body, force=True)
        ready = status.condition("Ready")
        if ready:
            logger.info("%s/%s: Ready=%s %s", server.namespace, server.name, ready.status, ready.reason)

    async def _warnings(self, pod: Manifest) -> list[Manifest]:
        """Warning events about one pod; not watched, since there are too many of them in a cluster."""
        about = f"involvedObject.uid={pod['metadata']['uid']},type=Warning"
        return await self._list(EVENT, pod["metadata"]["namespace"], [("fieldSelector", about)])

    async def _apply_one(self, server: Server, manifest: Manifest, live: Manifest | None) -> Manifest:
        kind = KINDS[manifest["kind"]]
        name = manifest["metadata"]["name"]
        if live is None:
            live = await self._get(kind, server.namespace, name)
        if live is None:
            logger.info("%s/%s: creating %s %s", server.namespace, server.name, kind.name, name)
            return await self._server_side_apply(kind.path(server.namespace, name), manifest, force=False)
        _check_claim(server, live)
        if not drifted(manifest, live):
            return live
        logger.info("%s/%s: applying %s %s", server.namespace, server.name, kind.name, name)
        metadata = {**manifest["metadata"], "uid": live["metadata"]["uid"]}
        path = kind.path(server.namespace, name)
        return await self._server_side_apply(path, {**manifest, "metadata": metadata}, force=True)

    async def _delete(self, server: Server, live: Manifest) -> None:
        kind, name = KINDS[live["kind"]], live["metadata"]["name"]
        logger.info("%s/%s: deleting %s %s", server.namespace, server.name, kind.name, name)
        body = {"preconditions": {"uid": live["metadata"]["uid"]}, "propagationPolicy": BACKGROUND}
        try:
            await self._request("DELETE", kind.path(server.namespace, name), body=body)
        except Refused as refused:
            # Gone, or replaced by another object: either way not ours to delete any more.
            if refused.status not in (404, 409):
                raise

    async def _server_side_apply(self, path: str, body: Manifest, *, force: bool) -> Manifest:
        query = [("fieldManager", FIELD_MANAGER), ("force", "true" if force else "false")]
        return await self._request("PATCH", path, query, body, content_type="application/apply-patch+yaml")

    async def _get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        try:
            return await self._request("GET", kind.path(namespace, name))
        except Refused as refused:
            if refused.status == 404:
                return None
            raise

    async def _list(self, kind: Kind, namespace: str, query: list[tuple[str, str]]) -> list[Manifest]:
        answer = await self._request("GET", kind.path(namespace), query)
        # Items of a list do not repeat what the list says about all of them.
        return [{"apiVersion": kind.api_version, "kind": kind.name, **item} for item in answer["items"]]

    async def _request(
        self,
        method: str,
        path: str,
        query: list[tuple[str, str]] | None = None,
        body: Manifest | None = None,
        content_type: str = "application/json",
    ) -> Manifest:
        headers = {"Accept": "application/json", "Content-Type": content_type}
        request = await self._client.param_serialize(
            method, path, query_params=query or [], header_params=headers, body=body, auth_settings=["BearerToken"]
        )
        response = await self._client.call_api(*request, _request_timeout=TIMEOUT)
        content: dict[str, Any] = json.loads(await response.response.read() or b"{}")
        if response.status >= 400:
            raise Refused(response.status, content.get("reason", ""), content.get("message", ""))
        return content


def _check_claim(server: Server, live: Manifest) -> None:
    match claim(server, live):
        case Claim.COLLECTED:
            raise BeingCollected(f"{live['kind']} {live['metadata']['name']} has a deleted owner")
        case Claim.FOREIGN:
            raise Refused(409, NAME_CONFLICT, "it exists and belongs to somebody else: rename or delete it")


NAME_CONFLICT = "NameConflict"
# Answers about the object itself; others are about the API server or our rights, and pass.
ABOUT_THE_OBJECT = {400: "Rejected", 403: "Forbidden", 409: NAME_CONFLICT, 422: "Rejected"}


def _explained(refused: Refused) -> tuple[str, str]:
    """Reason and message of a problem; raises what is no problem of the object."""
    reason = ABOUT_THE_OBJECT.get(refused.status)
    if reason is None:
        raise refused
    return reason, refused.message
