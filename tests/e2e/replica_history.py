"""Every number of pods that a Deployment asked for, from one moment to another."""

from collections.abc import Iterator
from contextlib import contextmanager

from kubernetes import client, config, watch

from e2e.workbench import NAME, Workbench


class ReplicaHistory:
    """The numbers in their order; filled when the time that is recorded ends."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    @property
    def changes(self) -> list[int]:
        """The numbers, each once until another came."""
        earlier = [None, *self.numbers]
        return [number for number, before in zip(self.numbers, earlier, strict=False) if number != before]


@contextmanager
def replica_history(bench: Workbench, pool: str) -> Iterator[ReplicaHistory]:
    """Record what the pool's Deployment asks for while the body runs: the API server keeps old versions for minutes."""
    config.load_kube_config(str(bench.target.kubeconfig))
    history = ReplicaHistory()
    with client.ApiClient() as connection:
        api = client.AppsV1Api(connection)
        field = f"metadata.name={NAME}-{pool}"
        first = api.list_namespaced_deployment(bench.namespace, field_selector=field)
        yield history
        options = {"field_selector": field, "resource_version": first.metadata.resource_version, "timeout_seconds": 2}
        later = watch.Watch().stream(api.list_namespaced_deployment, bench.namespace, **options)
        found = [*first.items, *(event["object"] for event in later)]
        history.numbers = [deployment.spec.replicas for deployment in found]
