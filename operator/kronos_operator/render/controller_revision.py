"""The ControllerRevisions: pod templates that once worked, kept for a rollback."""

from kronos_operator.api import Manifest, PoolName, Server
from kronos_operator.identity import REVISION_LABEL, pool_owned
from kronos_operator.kinds import CONTROLLER_REVISION
from kronos_operator.plan.revisions import Revision, revision_name


def controller_revision(server: Server, pool: PoolName, revision: Revision) -> Manifest:
    """One kept template; its number orders it among the pool's."""
    manifest = pool_owned(server, CONTROLLER_REVISION, pool, revision_name(server, pool, revision.digest))
    manifest["metadata"]["labels"][REVISION_LABEL] = revision.digest
    return {**manifest, "data": {"template": revision.template}, "revision": revision.number}
