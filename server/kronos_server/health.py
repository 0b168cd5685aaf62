"""Probes, the detailed health and the metrics."""

import time
from datetime import UTC, datetime
from typing import Any

import psutil
from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from kronos_server.dispatch import Phase
from kronos_server.service import Service

MEGABYTE = 1024**2
GIGABYTE = 1024**3
EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"


def health_routes(service: Service) -> APIRouter:
    """`/`, `/v1/healthz`, `/v1/healthz/detailed`, `/v1/readyz` and `/v1/metrics`."""
    router = APIRouter(tags=["health"])

    @router.get("/")
    async def root() -> dict[str, str]:
        """The name of the application; load balancers probe it."""
        return {"message": service.settings.app_name}

    @router.get("/v1/healthz", responses={503: {"description": "An engine gives no sign of life."}})
    async def healthz() -> Response:
        """Liveness: the process answers, and its engines turn."""
        alive = service.dispatcher.alive()
        return JSONResponse({"status": "ok" if alive else "stalled"}, 200 if alive else 503)

    @router.get("/v1/healthz/detailed")
    async def detailed() -> dict[str, Any]:
        """Model, memory, disk and device; always 200."""
        return _detailed(service)

    @router.get("/v1/readyz", responses={503: {"description": "Loading, draining, or an engine was lost."}})
    async def readyz() -> Response:
        """Readiness: a warm-up forecast ran on every device, and the server is not ending."""
        ready = service.dispatcher.phase is Phase.READY
        return JSONResponse(_readiness(service), 200 if ready else 503)

    if service.settings.enable_metrics:

        @router.get("/v1/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
        async def metrics() -> Response:
            """Prometheus metrics."""
            return Response(service.metrics.text(), media_type=EXPOSITION)

    return router


def _readiness(service: Service) -> dict[str, Any]:
    return {
        "status": service.dispatcher.phase.value,
        "model_loaded": service.dispatcher.loaded,
        "device": ",".join(service.devices.names),
        "device_warning": service.devices.warning,
    }


def _detailed(service: Service) -> dict[str, Any]:
    checks = {"model": _model(service), "memory": _memory(), "disk": _disk(), "device": _device(service)}
    healthy = all(check["status"] == "healthy" for check in checks.values())
    return {
        "status": "healthy" if healthy else "degraded",
        "timestamp": datetime.now(UTC).isoformat(),
        "uptime_seconds": round(time.monotonic() - service.started, 3),
        "checks": checks,
    }


def _status(healthy: bool) -> str:
    return "healthy" if healthy else "degraded"


def _model(service: Service) -> dict[str, Any]:
    loaded = service.dispatcher.loaded
    version = service.dispatcher.versions.model if loaded else None
    return {"status": _status(loaded and service.dispatcher.alive()), "loaded": loaded, "version": version}


def _memory() -> dict[str, Any]:
    """The memory of this process and its engines, and of the machine."""
    process = psutil.Process()
    used = sum(_resident(each) for each in (process, *process.children(recursive=True)))
    system = psutil.virtual_memory()
    return {
        "status": _status(system.percent < 95),
        "process_mb": round(used / MEGABYTE, 1),
        "system_percent": system.percent,
        "system_total_mb": round(system.total / MEGABYTE, 1),
        "system_available_mb": round(system.available / MEGABYTE, 1),
    }


def _resident(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.NoSuchProcess:
        return 0


def _disk() -> dict[str, Any]:
    disk = psutil.disk_usage("/")
    return {
        "status": _status(disk.percent < 95),
        "free_gb": round(disk.free / GIGABYTE, 2),
        "total_gb": round(disk.total / GIGABYTE, 2),
        "percent": disk.percent,
    }


def _device(service: Service) -> dict[str, Any]:
    return {
        "status": _status(service.devices.warning is None),
        "pool": service.pool,
        "devices": list(service.devices.names),
        "warning": service.devices.warning,
    }
