"""The ServiceAccount of the server pods: no rights, no token."""

from kronos_operator.api import Manifest, Server
from kronos_operator.identity import owned
from kronos_operator.kinds import SERVICE_ACCOUNT


def service_account(server: Server) -> Manifest:
    """The account that every pod of the resource runs as."""
    return {
        **owned(server, SERVICE_ACCOUNT, server.name, "server"),
        "automountServiceAccountToken": False,
    }
