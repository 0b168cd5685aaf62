"""A resource with both pools behind the edge, and a GPU that nobody else can take."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cluster import demo
from cluster.target import Target
from e2e.load import Request
from e2e.workbench import NAME, SMALL, Workbench, own_namespace, resource, wait_until

ROWS = 16
READY_SECONDS = 180
# Short enough to see a route come back, long enough to see that it waits.
BACK_AFTER_SECONDS = 5


@dataclass(frozen=True)
class Hybrid:
    """The resource of one namespace; its GPU is an extended resource that only its own pods ask for."""

    bench: Workbench

    @property
    def host(self) -> str:
        return f"{self.bench.namespace}.ingress.example.com"

    @property
    def gpu_resource(self) -> str:
        return f"{self.bench.namespace}.example.com/gpu"

    @cached_property
    def body(self) -> dict[str, Any]:
        """The cheapest forecast: what is measured is the way to the pool, not the pool."""
        long = demo.request()
        rows = {name: long[name][-ROWS:] for name in ("candles", "timestamps")}
        next_row = {"prediction_timestamps": long["prediction_timestamps"][:1], "overrides": {"sample_count": 1}}
        return {**long, **rows, **next_row}

    def spec(self, back_after: int = BACK_AFTER_SECONDS) -> dict[str, Any]:
        return {
            "cpu": {"replicas": 1, "resources": SMALL},
            "gpu": {"replicas": 1, "resources": SMALL, "accelerator": {"resource": self.gpu_resource}},
            "routing": {"failover": {"backAfterSeconds": back_after}},
            "ingress": {"hosts": [self.host]},
        }

    def request(self, path: str, *devices: str, host: str = "") -> Request:
        """A forecast over a path of the edge; devices: values of the header that forces one."""
        body = {"items": [self.body]} if path.endswith("batch") else self.body
        headers = [("Host", host or self.host), ("Content-Type", "application/json")]
        forced = [("X-Kronos-Device", device) for device in devices]
        return Request(self.bench.target.ingress_url(NAME), path, json.dumps(body).encode(), (*headers, *forced))

    def offer_gpus(self, number: int | None) -> None:
        """Let the node have so many GPUs; None: not even the resource."""
        amounts = {self.gpu_resource: None if number is None else str(number)}
        change = json.dumps({"status": {"capacity": amounts, "allocatable": amounts}})
        node = self.bench.target.kubectl("get", "nodes", "-o", "name").split()[0]
        self.bench.target.kubectl("patch", node, "--subresource=status", "--type=merge", "-p", change)

    def lose_gpu(self) -> None:
        """Take the GPU away, and with it every pod that runs on it: none can come back."""
        self.offer_gpus(0)
        self.bench.kubectl("delete", "pods", "-l", "kronos.dev/pool=gpu", "--grace-period=0", "--force")

    def wait_for(self, condition: str, seconds: int = READY_SECONDS) -> None:
        """Wait until a condition of the present generation is true."""
        self.bench.kubectl("wait", "kronosdeployment", NAME, f"--for=condition={condition}", f"--timeout={seconds}s")

    def wait_for_route(self, route: str, pool: str, seconds: int = READY_SECONDS) -> None:
        path = f"--for=jsonpath={{.status.routes.{route}.pool}}={pool}"
        self.bench.kubectl("wait", "kronosdeployment", NAME, path, f"--timeout={seconds}s")

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.bench.read("kronosdeployment", NAME)["status"]
        return found

    def spec_now(self) -> dict[str, Any]:
        found: dict[str, Any] = self.bench.read("kronosdeployment", NAME)["spec"]
        return found

    def replace(self, spec: dict[str, Any]) -> None:
        """Put a whole spec into the place of the present one."""
        change = json.dumps([{"op": "replace", "path": "/spec", "value": spec}])
        self.bench.kubectl("patch", "kronosdeployment", NAME, "--type=json", "-p", change)

    def pool_status(self, pool: str) -> dict[str, Any]:
        return next(each for each in self.status()["pools"] if each["name"] == pool)

    def pods(self, pool: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.bench.read("pods", "-l", f"kronos.dev/pool={pool}")["items"]
        return found

    def events(self) -> list[str]:
        """Reasons and messages of the events about the resource."""
        found = self.bench.read("events", f"--field-selector=involvedObject.name={NAME}")["items"]
        return [f"{event['reason']}: {event['message']}" for event in found]

    def image_by_digest(self, pool: str) -> str:
        """The image that a pool runs, by another name: an update to it changes the template and nothing else."""
        [pod] = self.pods(pool)
        image: str = pod["status"]["containerStatuses"][0]["imageID"]
        return image


@contextmanager
def own_hybrid(target: Target, back_after: int = BACK_AFTER_SECONDS) -> Iterator[Hybrid]:
    """A hybrid resource that serves on both pools, in a namespace of its own."""
    with own_namespace(target) as bench:
        hybrid = Hybrid(bench)
        hybrid.offer_gpus(1)
        try:
            bench.apply(resource(hybrid.spec(back_after)))
            wait_until("the status", lambda: bench.condition("Ready") != {}, 30)
            hybrid.wait_for("Ready")
            yield hybrid
        finally:
            hybrid.offer_gpus(None)
