"""Names, labels, selectors and the owner reference of all that belongs to one custom resource."""

from enum import Enum

from kronos_operator.api import API_VERSION, KIND, Manifest, PoolName, RouteName, Server
from kronos_operator.kinds import Kind

FIELD_MANAGER = "kronos-operator"
HANDOVER_MANAGER = f"{FIELD_MANAGER}-handover"
DEPLOYMENT_LABEL = "kronos.dev/deployment"
POOL_LABEL = "kronos.dev/pool"
# On pods: which template they were made from.
REVISION_LABEL = "kronos.dev/revision"


def pool_object_name(server: Server, pool: PoolName) -> str:
    """Name of everything that exists once a pool: Deployment, Service, disruption budget."""
    return f"{server.name}-{pool}"


def route_object_name(server: Server, route: RouteName) -> str:
    """Name of a route's Service."""
    return f"{server.name}-{route}"


def selector(server: Server, pool: PoolName) -> dict[str, str]:
    """Labels that select a pool's pods; immutable, so they hold identity and nothing else."""
    return {DEPLOYMENT_LABEL: server.name, POOL_LABEL: pool}


def labels(server: Server, component: str) -> dict[str, str]:
    """Labels of an owned object; all but the first are decoration for people and tools."""
    return {
        DEPLOYMENT_LABEL: server.name,
        "app.kubernetes.io/name": "kronos",
        "app.kubernetes.io/instance": server.name,
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/managed-by": FIELD_MANAGER,
    }


def owner_reference(server: Server) -> Manifest:
    """Makes the resource the controller of an owned object, so that deleting it deletes them all."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": server.name,
        "uid": server.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def owned(server: Server, kind: Kind, name: str, component: str) -> Manifest:
    """The beginning of every owned object's manifest."""
    return {
        "apiVersion": kind.api_version,
        "kind": kind.name,
        "metadata": {
            "name": name,
            "namespace": server.namespace,
            "labels": labels(server, component),
            "ownerReferences": [owner_reference(server)],
        },
    }


def pool_owned(server: Server, kind: Kind, pool: PoolName, name: str | None = None) -> Manifest:
    """The beginning of the manifest of an object that belongs to one pool."""
    manifest = owned(server, kind, name or pool_object_name(server, pool), pool)
    manifest["metadata"]["labels"][POOL_LABEL] = pool
    return manifest


class Claim(Enum):
    """What a live object with one of our names is to us."""

    OURS = "controlled by this resource"
    ADOPTABLE = "ours by label, and without a controller"
    COLLECTED = "controlled by an earlier resource of this name, about to be collected"
    FOREIGN = "somebody else's"


def claim(server: Server, live: Manifest) -> Claim:
    """Decide whose a live object is: by uid, never by name alone."""
    metadata = live["metadata"]
    controller = next((owner for owner in metadata.get("ownerReferences", ()) if owner.get("controller")), None)
    if controller is None:
        ours = metadata.get("labels", {}).get(DEPLOYMENT_LABEL) == server.name
        return Claim.ADOPTABLE if ours else Claim.FOREIGN
    if controller["uid"] == server.uid:
        return Claim.OURS
    earlier = controller["kind"] == KIND and controller["name"] == server.name
    return Claim.COLLECTED if earlier else Claim.FOREIGN
