"""What a user can wish for."""

from typing import Literal

from pydantic import ConfigDict, Field

from kronos_operator.api.edge import Gateway, Ingress
from kronos_operator.api.model import Model
from kronos_operator.api.pool import CpuPool, GpuPool, PoolName
from kronos_operator.api.structure import ObjectName, Structure, rules

RouteName = Literal["single", "batch"]
ROUTES: tuple[RouteName, ...] = ("single", "batch")


class Failover(Structure):
    """When a route leaves a pool that does not answer, and when it comes back."""

    mode: Literal["Automatic", "Disabled"] = Field("Automatic", description="Disabled: routes never move.")
    after_seconds: int = Field(
        3, ge=0, le=3600, description="How long a pool must have had no ready pod before its routes move, in seconds."
    )
    back_after_seconds: int = Field(
        30, ge=0, le=86400, description="How long it must have been ready before they come back, in seconds."
    )


class Routing(Structure):
    """Which pool answers which path."""

    single: PoolName | None = Field(None, description="Pool of /v1/predict/single; absent: cpu if declared, else gpu.")
    batch: PoolName | None = Field(None, description="Pool of /v1/predict/batch; absent: gpu if declared, else cpu.")
    failover: Failover = Field(Failover(), description="When routes move by themselves.")
    settle_seconds: int = Field(
        5,
        ge=0,
        le=600,
        description="How long the edge needs to follow a moved route, in seconds; 60 for cloud load balancers.",
    )


class ServerOptions(Structure):
    """How every server behaves."""

    request_timeout_seconds: int = Field(60, ge=1, le=3600, description="Longest time for a request, in seconds.")
    drain_seconds: int = Field(5, ge=0, le=600, description="How long a leaving pod still accepts requests.")
    default_pred_len: int | None = Field(None, ge=1, le=512, description="Horizon where a request names none.")
    rate_limit_per_minute_per_pod: int | None = Field(
        None, ge=1, le=1_000_000, description="Requests a minute that one client may send to one pod; absent: no limit."
    )
    api_keys_secret_name: ObjectName | None = Field(
        None, description="Secret whose values are the valid API keys, one a line; absent: no key is asked for."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least level that is logged.")


class Spec(Structure):
    """A CPU pool and a GPU pool of one model behind one endpoint."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            ("has(self.cpu) || has(self.gpu)", "declare spec.cpu, spec.gpu or both"),
            *(
                (
                    f"!has(self.routing) || !has(self.routing.{route}) || self.routing.{route} != '{pool}' "
                    f"|| has(self.{pool})",
                    f"routing.{route} names the pool {pool}, which is not declared: add spec.{pool}",
                )
                for route in ROUTES
                for pool in ("cpu", "gpu")
            ),
        )
    )
    model: Model | None = Field(None, description="The checkpoint; absent: the operator's default, pinned.")
    cpu: CpuPool | None = Field(None, description="The CPU pool; {} is enough.")
    gpu: GpuPool | None = Field(None, description="The GPU pool; {} is enough.")
    routing: Routing = Field(Routing(), description="Which pool answers which path.")
    server: ServerOptions = Field(ServerOptions(), description="How every server behaves.")
    ingress: Ingress | None = Field(None, description="Ingress in front of both routes; absent: none.")
    gateway: Gateway | None = Field(None, description="HTTPRoute behind a Gateway; absent: none.")
    paused: bool = Field(False, description="true: nothing is written but the status.")

    def pool(self, name: PoolName) -> CpuPool | GpuPool | None:
        """The declared pool of that name, if there is one."""
        return self.cpu if name == "cpu" else self.gpu

    def preferred(self, route: RouteName) -> PoolName:
        """The pool that answers a route while everything is well."""
        wish = self.routing.single if route == "single" else self.routing.batch
        first, second = (self.cpu, self.gpu) if route == "single" else (self.gpu, self.cpu)
        names: tuple[PoolName, PoolName] = ("cpu", "gpu") if route == "single" else ("gpu", "cpu")
        return wish or (names[0] if first is not None or second is None else names[1])
