"""The upgrade of the definition, against an HTTP server that answers as the API server does."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer
from kubernetes.aio.client import ApiClient, ApiextensionsV1Api, Configuration

from kronos_operator.crd import REVISION_ANNOTATION, SCHEMA_REVISION, crd
from kronos_operator.crd_upgrade import UpgradeRefusedError, upgrade

PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/kronosdeployments.kronos.dev"


class ApiServer:
    """Holds one definition, or none, and keeps the patches that arrive."""

    def __init__(self) -> None:
        self.installed: dict[str, Any] | None = crd()
        self.patches: list[web.Request] = []
        self.bodies: list[Any] = []

    def application(self) -> web.Application:
        application = web.Application()
        application.router.add_get(PATH, self.read)
        application.router.add_patch(PATH, self.patch)
        return application

    async def read(self, _: web.Request) -> web.Response:
        if self.installed is None:
            return web.json_response({"kind": "Status", "code": 404}, status=404)
        return web.json_response(self.installed)

    async def patch(self, request: web.Request) -> web.Response:
        self.patches.append(request)
        self.bodies.append(yaml.safe_load(await request.text()))
        return web.json_response(self.bodies[-1])


@pytest.fixture
def api_server() -> ApiServer:
    return ApiServer()


@pytest.fixture
async def api(api_server: ApiServer) -> AsyncIterator[ApiextensionsV1Api]:
    async with (
        TestServer(api_server.application()) as server,
        ApiClient(Configuration(host=str(server.make_url("/")).rstrip("/"))) as client,
    ):
        yield ApiextensionsV1Api(client)


def with_revision(revision: str | None) -> dict[str, Any]:
    definition = crd()
    definition["metadata"]["annotations"] = {} if revision is None else {REVISION_ANNOTATION: revision}
    return definition


@pytest.mark.parametrize("revision", [None, "0", str(SCHEMA_REVISION)])
async def test_an_older_or_equal_definition_is_replaced_by_ours(
    api_server: ApiServer, api: ApiextensionsV1Api, revision: str | None
) -> None:
    api_server.installed = with_revision(revision)
    await upgrade(api)
    assert api_server.bodies == [crd()]


async def test_it_is_applied_in_helms_name_and_by_force(api_server: ApiServer, api: ApiextensionsV1Api) -> None:
    await upgrade(api)
    (request,) = api_server.patches
    assert request.content_type == "application/apply-patch+yaml"
    assert dict(request.query) == {"fieldManager": "helm", "force": "true"}


async def test_a_newer_definition_is_left_alone(api_server: ApiServer, api: ApiextensionsV1Api) -> None:
    api_server.installed = with_revision(str(SCHEMA_REVISION + 1))
    with pytest.raises(UpgradeRefusedError, match=r"crdUpgrade\.enabled"):
        await upgrade(api)
    assert not api_server.patches


async def test_a_missing_definition_is_not_created(api_server: ApiServer, api: ApiextensionsV1Api) -> None:
    api_server.installed = None
    with pytest.raises(UpgradeRefusedError, match="not installed"):
        await upgrade(api)
    assert not api_server.patches
