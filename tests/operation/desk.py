"""A namespace of a test's own on the control plane, and what tests ask about it."""

from dataclasses import dataclass

from cluster.plane import Manifest, Plane
from kronos_operator.identity import DEPLOYMENT_LABEL
from kronos_operator.kinds import DEPLOYMENT, EVENT, HTTP_ROUTE, OWNED, RESOURCE

# Pods of such a pool are wanted by nobody: it is ready at once.
IDLE: Manifest = {"cpu": {"replicas": 0}}


@dataclass(frozen=True)
class Desk:
    """The resources of one namespace."""

    plane: Plane
    namespace: str

    def declare(self, name: str, spec: Manifest | None = None) -> None:
        body = {"apiVersion": RESOURCE.api_version, "kind": RESOURCE.name, "metadata": {"name": name}}
        self.plane.apply(RESOURCE.path(self.namespace, name), {**body, "spec": spec or IDLE})

    def edit(self, name: str, drain_seconds: int) -> None:
        """Change a setting that every pod of the resource is given."""
        self.patch(name, {"server": {"drainSeconds": drain_seconds}})

    def patch(self, name: str, spec: Manifest) -> None:
        self.plane.patch(RESOURCE.path(self.namespace, name), {"spec": spec})

    def delete(self, name: str) -> None:
        self.plane.send("DELETE", RESOURCE.path(self.namespace, name))

    def resource(self, name: str) -> Manifest:
        return self.plane.get(RESOURCE.path(self.namespace, name))

    def resources(self) -> list[Manifest]:
        return self.plane.items(RESOURCE.path(self.namespace))

    def reconciled(self) -> list[str]:
        """Names of the resources whose status speaks of their present generation."""
        return [
            each["metadata"]["name"]
            for each in self.resources()
            if each.get("status", {}).get("observedGeneration") == each["metadata"]["generation"]
        ]

    def condition(self, name: str, kind: str) -> Manifest:
        conditions = self.resource(name).get("status", {}).get("conditions", [])
        return next((each for each in conditions if each["type"] == kind), {})

    def drain_seconds(self, name: str) -> int | None:
        """What the pods of the CPU pool are given; None before there is a Deployment."""
        deployment = self.plane.find(DEPLOYMENT.path(self.namespace, f"{name}-cpu"))
        if deployment is None:
            return None
        [container] = deployment["spec"]["template"]["spec"]["containers"]
        [value] = [each["value"] for each in container["env"] if each["name"] == "KRONOS_DRAIN_SECONDS"]
        return int(value)

    def versions(self) -> dict[str, str]:
        """The version of every resource and of every object that the operator owns, by kind and name."""
        found = {f"{RESOURCE.name}/{each['metadata']['name']}": each for each in self.resources()}
        for kind in OWNED:
            if kind is not HTTP_ROUTE:  # not served here
                items = self.plane.items(f"{kind.path(self.namespace)}?labelSelector={DEPLOYMENT_LABEL}")
                found |= {f"{kind.name}/{item['metadata']['name']}": item for item in items}
        return {name: item["metadata"]["resourceVersion"] for name, item in found.items()}

    def events(self, name: str) -> list[Manifest]:
        """What users are told about a resource, the oldest first."""
        found = self.plane.items(f"{EVENT.path(self.namespace)}?fieldSelector=involvedObject.name={name}")
        return sorted(found, key=lambda event: int(event["metadata"]["resourceVersion"]))
