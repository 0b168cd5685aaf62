"""Probes, the detailed health and the metrics."""

import time
from datetime import UTC, datetime
from typing import Any

import psutil
from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from kronos_server.dispatch import Phase
from kronos_server.openapi import CARRIED
from kronos_server.service import Service

MEGABYTE = 1024**2
GIGABYTE = 1024**3
FULL_PERCENT = 95
EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"


class Name(BaseModel):
    """The application's name."""

    message: str


class Liveness(BaseModel):
    """`ok`, or `stalled` where an engine gives no sign of life."""

    status: str


class Readiness(BaseModel):
    """`ok`, or why there is nothing to be had: `loading`, `draining` or `lost`."""

    status: str
    model_loaded: bool
    device: str
    device_warning: str | None


class ModelCheck(BaseModel):
    """The model and its version."""

    status: str
    loaded: bool
    version: str | None


class MemoryCheck(BaseModel):
    """The memory of this server with its engines, and of the machine."""

    status: str
    process_mb: float
    system_percent: float
    system_total_mb: float
    system_available_mb: float


class DiskCheck(BaseModel):
    """The disk of the root."""

    status: str
    free_gb: float
    total_gb: float
    percent: float


class DeviceCheck(BaseModel):
    """The pool, and what computes."""

    status: str
    pool: str
    devices: list[str]
    warning: str | None


class Checks(BaseModel):
    """Everything that is looked at."""

    model: ModelCheck
    memory: MemoryCheck
    disk: DiskCheck
    device: DeviceCheck


class Health(BaseModel):
    """`healthy`, or `degraded` where one of the checks is."""

    status: str
    timestamp: str
    uptime_seconds: float
    checks: Checks


def health_routes(service: Service) -> APIRouter:
    """`/`, `/v1/healthz`, `/v1/healthz/detailed`, `/v1/readyz` and `/v1/metrics`."""
    router = APIRouter(tags=["health"])
    carried: dict[int | str, Any] = {200: {"headers": CARRIED}}

    @router.get("/", responses=carried)
    async def root() -> Name:
        """The name of the application; load balancers probe it."""
        return Name(message=service.settings.app_name)

    @router.get("/v1/healthz", response_model=Liveness, responses=carried | _unready(Liveness))
    async def healthz() -> Response:
        """Liveness: the process answers, and its engines turn."""
        alive = service.dispatcher.alive()
        return JSONResponse({"status": "ok" if alive else "stalled"}, 200 if alive else 503)

    @router.get("/v1/healthz/detailed", responses=carried)
    async def detailed() -> Health:
        """Model, memory, disk and device; always 200."""
        return _health(service)

    @router.get("/v1/readyz", response_model=Readiness, responses=carried | _unready(Readiness))
    async def readyz() -> Response:
        """Readiness: a warm-up forecast ran on every device, and the server is not ending."""
        ready = service.dispatcher.phase is Phase.READY
        return JSONResponse(_readiness(service).model_dump(), 200 if ready else 503)

    if service.settings.enable_metrics:
        text: dict[int | str, Any] = {200: {"content": {"text/plain": {}}, "headers": CARRIED}}

        @router.get("/v1/metrics", response_class=Response, responses=text)
        async def metrics() -> Response:
            """Prometheus metrics."""
            return Response(service.metrics.text(), media_type=EXPOSITION)

    return router


def _unready(model: type[BaseModel]) -> dict[int | str, Any]:
    return {503: {"model": model, "headers": CARRIED}}


def _readiness(service: Service) -> Readiness:
    return Readiness(
        status=service.dispatcher.phase,
        model_loaded=service.dispatcher.loaded,
        device=",".join(service.devices.names),
        device_warning=service.devices.warning,
    )


def _health(service: Service) -> Health:
    checks = Checks(model=_model(service), memory=_memory(), disk=_disk(), device=_device(service))
    healthy = all(check.status == "healthy" for check in (checks.model, checks.memory, checks.disk, checks.device))
    return Health(
        status=_status(healthy),
        timestamp=datetime.now(UTC).isoformat(),
        uptime_seconds=round(time.monotonic() - service.started, 3),
        checks=checks,
    )


def _status(healthy: bool) -> str:
    return "healthy" if healthy else "degraded"


def _model(service: Service) -> ModelCheck:
    loaded = service.dispatcher.loaded
    version = service.dispatcher.versions.model if loaded else None
    return ModelCheck(status=_status(loaded and service.dispatcher.alive()), loaded=loaded, version=version)


def _memory() -> MemoryCheck:
    process = psutil.Process()
    used = sum(_resident(each) for each in (process, *process.children(recursive=True)))
    system = psutil.virtual_memory()
    return MemoryCheck(
        status=_status(system.percent < FULL_PERCENT),
        process_mb=round(used / MEGABYTE, 1),
        system_percent=system.percent,
        system_total_mb=round(system.total / MEGABYTE, 1),
        system_available_mb=round(system.available / MEGABYTE, 1),
    )


def _resident(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.NoSuchProcess:
        return 0


def _disk() -> DiskCheck:
    disk = psutil.disk_usage("/")
    return DiskCheck(
        status=_status(disk.percent < FULL_PERCENT),
        free_gb=round(disk.free / GIGABYTE, 2),
        total_gb=round(disk.total / GIGABYTE, 2),
        percent=disk.percent,
    )


def _device(service: Service) -> DeviceCheck:
    return DeviceCheck(
        status=_status(service.devices.warning is None),
        pool=service.pool,
        devices=list(service.devices.names),
        warning=service.devices.warning,
    )
