"""What is sent to the API server for what it answers; server-side apply itself is proven on a real one."""

from collections.abc import AsyncIterator, Callable

import aiohttp
import pytest
from kmock import RawHandler, text
from kubernetes.aio.client import ApiClient, Configuration

from kronos_operator.api import Manifest, Server
from kronos_operator.cluster import BeingCollected, Cluster, Ending
from kronos_operator.connection import Connection, Refused, asked_delay, fenced
from kronos_operator.identity import owned, owner_reference
from kronos_operator.kinds import DEPLOYMENT, HTTP_ROUTE, SERVICE, SERVICE_ACCOUNT
from kronos_operator.leadership import LeadershipLost
from kronos_operator.observed import Observed, object_key

# Answers are given by the tests alone.
pytestmark = pytest.mark.kmock(cls=RawHandler)

MakeServer = Callable[..., Server]


@pytest.fixture
async def client(kmock: RawHandler) -> AsyncIterator[ApiClient]:
    async with ApiClient(Configuration(host=str(kmock.url).rstrip("/"))) as client:
        yield client


@pytest.fixture
def cluster(client: ApiClient) -> Cluster:
    return Cluster(Connection(client))


@pytest.fixture
def server(make_server: MakeServer) -> Server:
    return make_server({"cpu": {}})


def service(server: Server) -> Manifest:
    return {**owned(server, SERVICE, "kronos-cpu", "cpu"), "spec": {}}


PATH = SERVICE.path("demo", "kronos-cpu")


async def test_a_new_object_is_created_without_force(kmock: RawHandler, cluster: Cluster, server: Server) -> None:
    kmock["get", PATH] << 404 << {"reason": "NotFound"}
    kmock["patch", PATH] << service(server)
    seen = await cluster.apply(server, [service(server)], Observed())
    assert seen.problems == ()
    (sent,) = kmock["patch"]
    assert (sent.params["force"], sent.params["fieldManager"]) == ("false", "kronos-operator")


async def test_somebody_elses_object_of_our_name_is_left_alone(
    kmock: RawHandler, cluster: Cluster, server: Server
) -> None:
    kmock["get", PATH] << {"kind": "Service", "metadata": {"name": "kronos-cpu", "labels": {"app": "theirs"}}}
    (problem,) = (await cluster.apply(server, [service(server)], Observed())).problems
    assert problem.reason == "NameConflict"
    assert len(kmock["patch"]) == 0


async def test_an_object_of_a_deleted_resource_is_waited_for(
    kmock: RawHandler, cluster: Cluster, server: Server
) -> None:
    earlier = {**owner_reference(server), "uid": "uid-0"}
    kmock["get", PATH] << {"kind": "Service", "metadata": {"name": "kronos-cpu", "ownerReferences": [earlier]}}
    with pytest.raises(BeingCollected):
        await cluster.apply(server, [service(server)], Observed())
    assert len(kmock["patch"]) == 0


def scaled(server: Server) -> Manifest:
    """A live Deployment whose number of replicas we hold."""
    fields = {"f:spec": {"f:replicas": {}}}
    ours = {"manager": "kronos-operator", "operation": "Apply", "fieldsV1": fields}
    live = owned(server, DEPLOYMENT, "kronos-cpu", "cpu")
    metadata = {**live["metadata"], "uid": "uid-7", "resourceVersion": "7", "managedFields": [ours]}
    return {**live, "metadata": metadata, "spec": {"replicas": 3}}


async def test_the_number_of_replicas_is_handed_over_only_as_it_was_read(
    kmock: RawHandler, cluster: Cluster, server: Server
) -> None:
    live = scaled(server)
    kmock["patch", DEPLOYMENT.path("demo", "kronos-cpu")] << 409 << {"reason": "Conflict", "message": "it was scaled"}
    wanted = {**owned(server, DEPLOYMENT, "kronos-cpu", "cpu"), "spec": {}}
    with pytest.raises(Refused, match="it was scaled"):
        await cluster.apply(server, [wanted], Observed({object_key(live): live}))
    (handover,) = kmock["patch"]
    assert handover.params["fieldManager"] == "kronos-operator-handover"
    assert handover.data["metadata"]["resourceVersion"] == "7"
    assert handover.data["spec"] == {"replicas": 3}


FIELD_CONFLICT = {"causes": [{"reason": "FieldManagerConflict"}]}


@pytest.mark.parametrize(("status", "reason"), [(422, "Rejected"), (403, "Forbidden"), (409, "NameConflict")])
async def test_a_refused_object_is_a_problem_and_the_others_go_on(
    kmock: RawHandler, cluster: Cluster, server: Server, status: int, reason: str
) -> None:
    account = owned(server, SERVICE_ACCOUNT, "kronos", "server")
    kmock["get"] << 404 << {"reason": "NotFound"}
    (
        kmock["patch", SERVICE_ACCOUNT.path("demo", "kronos")]
        << status
        << {"message": "because", "details": FIELD_CONFLICT}
    )
    kmock["patch", PATH] << service(server)
    seen = await cluster.apply(server, [account, service(server)], Observed())
    assert [(problem.reason, problem.message) for problem in seen.problems] == [(reason, "because")]
    assert len(kmock["patch", PATH]) == 1


async def test_a_namespace_that_is_being_deleted_ends_the_attempt_at_its_first_object(
    kmock: RawHandler, cluster: Cluster, server: Server
) -> None:
    answer = {"reason": "Forbidden", "message": "ending", "details": {"causes": [{"reason": "NamespaceTerminating"}]}}
    kmock["get"] << 404 << {"reason": "NotFound"}
    kmock["patch"] << 403 << answer
    account = owned(server, SERVICE_ACCOUNT, "kronos", "server")
    with pytest.raises(Ending, match="ending"):
        await cluster.apply(server, [account, service(server)], Observed())
    assert len(kmock["patch"]) == 1


@pytest.mark.parametrize("status", [409, 429, 500, 503])
async def test_trouble_of_the_api_server_is_no_problem_of_the_object(
    kmock: RawHandler, cluster: Cluster, server: Server, status: int
) -> None:
    kmock["get", PATH] << 404 << {"reason": "NotFound"}
    kmock["patch", PATH] << status << {"message": "later"} << {"Retry-After": "7"}
    with pytest.raises(Refused, match="later") as refused:
        await cluster.apply(server, [service(server)], Observed())
    assert asked_delay(refused.value) == 7


async def test_only_our_own_leftovers_are_deleted_and_by_uid(
    kmock: RawHandler, cluster: Cluster, server: Server
) -> None:
    ours = service(server)
    ours["metadata"]["uid"] = "uid-7"
    restored = service(server)
    restored["metadata"] |= {"name": "kronos-gpu", "ownerReferences": []}
    kmock["delete"] << {}
    seen = Observed(objects={object_key(each): each for each in (ours, restored)})
    await cluster.prune(server, [], seen, frozenset(), (SERVICE,))
    (sent,) = kmock["delete"]
    assert sent.url.path == PATH
    assert sent.data["preconditions"] == {"uid": "uid-7"}


async def test_a_kind_that_is_not_served_is_told_and_not_fatal(
    kmock: RawHandler, cluster: Cluster, server: Server
) -> None:
    kmock["get", HTTP_ROUTE.path("demo")] << 404 << text("404 page not found")
    kmock["get"] << {"items": []}
    seen = await cluster.observe(server)
    assert seen.unserved["HTTPRoute"][0] == "GatewayAPIMissing"
    assert seen.objects == {}


async def test_nothing_is_written_behind_the_fence(kmock: RawHandler, client: ApiClient, server: Server) -> None:
    def fence() -> None:
        raise LeadershipLost("frozen")

    kmock["get", PATH] << 404 << {"reason": "NotFound"}
    with pytest.raises(LeadershipLost):
        await Cluster(Connection(client, fence)).apply(server, [service(server)], Observed())
    assert len(kmock["patch"]) == 0


async def test_a_write_that_was_begun_before_the_fence_fell_does_not_leave(kmock: RawHandler, server: Server) -> None:
    def fence() -> None:
        raise LeadershipLost("frozen")

    kmock["get", PATH] << 404 << {"reason": "NotFound"}
    configuration = Configuration(host=str(kmock.url).rstrip("/"))
    configuration.trace_configs = [fenced(fence)]
    async with ApiClient(configuration) as client:
        with pytest.raises(aiohttp.ClientConnectionError, match="frozen"):
            await Cluster(Connection(client)).apply(server, [service(server)], Observed())
    assert len(kmock["get"]) == 1
    assert len(kmock["patch"]) == 0
