"""The kinds of objects that are owned or looked at, and their paths in the API."""

from dataclasses import dataclass

from kronos_operator.api import API_VERSION, KIND, PLURAL


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind as the API server names it; all of ours are namespaced."""

    api_version: str
    name: str
    plural: str

    @property
    def group(self) -> str:
        """The API group; empty for the core group."""
        return self.api_version.rpartition("/")[0]

    @property
    def version(self) -> str:
        """The version inside the group."""
        return self.api_version.rpartition("/")[2]

    def path(self, namespace: str | None, name: str = "", subresource: str = "") -> str:
        """The path of a collection, of one object, or of a part of it; without namespace, of all namespaces."""
        parts = ["apis" if self.group else "api", self.api_version]
        parts += ["namespaces", namespace] if namespace else []
        return "/" + "/".join([*parts, self.plural, *filter(None, (name, subresource))])


RESOURCE = Kind(API_VERSION, KIND, PLURAL)

SERVICE_ACCOUNT = Kind("v1", "ServiceAccount", "serviceaccounts")
SERVICE = Kind("v1", "Service", "services")
DISRUPTION_BUDGET = Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets")
CONTROLLER_REVISION = Kind("apps/v1", "ControllerRevision", "controllerrevisions")
DEPLOYMENT = Kind("apps/v1", "Deployment", "deployments")
AUTOSCALER = Kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers")
INGRESS = Kind("networking.k8s.io/v1", "Ingress", "ingresses")
HTTP_ROUTE = Kind("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes")

LEASE = Kind("coordination.k8s.io/v1", "Lease", "leases")

# Applied in this order and pruned in reverse.
OWNED = (
    SERVICE_ACCOUNT,
    SERVICE,
    DISRUPTION_BUDGET,
    CONTROLLER_REVISION,
    DEPLOYMENT,
    AUTOSCALER,
    INGRESS,
    HTTP_ROUTE,
)

POD = Kind("v1", "Pod", "pods")
ENDPOINT_SLICE = Kind("discovery.k8s.io/v1", "EndpointSlice", "endpointslices")

EVENT = Kind("v1", "Event", "events")

OBSERVED = (*OWNED, POD, ENDPOINT_SLICE)
