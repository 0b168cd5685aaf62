"""Keeps the operators' Lease in the API server."""

from kronos_operator.api import Manifest
from kronos_operator.connection import Connection, Refused
from kronos_operator.kinds import LEASE
from kronos_operator.leadership import LeaseConflict


class ClusterLease:
    """One Lease by name; created by whoever comes first."""

    def __init__(self, connection: Connection, namespace: str, name: str) -> None:
        self._connection = connection
        self._namespace = namespace
        self._name = name

    async def read(self) -> Manifest | None:
        """The Lease, or None where there is none yet."""
        return await self._connection.get(LEASE, self._namespace, self._name)

    async def write(self, lease: Manifest) -> None:
        """Create it, or replace the version that was read; raises LeaseConflict where that is another by now."""
        known = "metadata" in lease
        metadata = lease["metadata"] if known else {"name": self._name, "namespace": self._namespace}
        body = {"apiVersion": LEASE.api_version, "kind": LEASE.name, **lease, "metadata": metadata}
        path = LEASE.path(self._namespace, self._name if known else "")
        try:
            await self._connection.send("PUT" if known else "POST", path, body=body)
        except Refused as refused:
            if refused.status == 409:
                raise LeaseConflict from refused
            raise
