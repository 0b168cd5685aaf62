"""The application: parts wired together, engines started and stopped with it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from kronos_server import checkpoints, replies
from kronos_server.access import Whitelist
from kronos_server.bodies import Bodies
from kronos_server.devices import Devices, thread_count
from kronos_server.dispatch import Dispatcher
from kronos_server.health import health_routes
from kronos_server.metrics import Metrics
from kronos_server.peer import Peers
from kronos_server.routes import forecast_routes
from kronos_server.service import Service
from kronos_server.settings import Settings
from kronos_server.worker import Assignment, Report, Worker

logger = logging.getLogger(__name__)


def create_service(settings: Settings, devices: Devices, on_lost: Callable[[str], None]) -> Service:
    """The parts of a server; nothing runs yet. `on_lost` is told why the server cannot go on."""
    metrics, dispatcher = Metrics(), Dispatcher(settings.max_batch_size, settings.max_queue_size, on_lost)
    dispatcher.watch(metrics.beat)
    metrics.queued.set_function(lambda: dispatcher.queued)
    metrics.cached.set_function(lambda: dispatcher.tokens)
    metrics.cache_limit.set_function(lambda: dispatcher.most_tokens)
    return Service(
        settings=settings,
        devices=devices,
        dispatcher=dispatcher,
        peers=Peers({"cpu": settings.peer_cpu_url, "gpu": settings.peer_gpu_url}),
        metrics=metrics,
        bodies=Bodies(settings.max_request_bytes),
    )


def create_app(service: Service) -> FastAPI:
    """The routes of a server; its engines live as long as the application's lifespan."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        workers = _start_workers(service)
        resolving = asyncio.create_task(whitelist.keep_resolving())
        try:
            yield
        finally:
            resolving.cancel()
            await asyncio.gather(*(asyncio.to_thread(worker.stop) for worker in workers))
            await service.peers.close()

    whitelist = Whitelist(service.settings.container_whitelist)
    app = FastAPI(title=service.settings.app_name, version="1", lifespan=lifespan, redirect_slashes=False)
    app.include_router(health_routes(service))
    app.include_router(forecast_routes(service))
    if service.settings.cors_origins:
        app.add_middleware(CORSMiddleware, allow_origins=service.settings.cors_origins, allow_methods=["GET", "POST"])
    replies.install(app, service, whitelist)
    return app


def _start_workers(service: Service) -> list[Worker]:
    loop = asyncio.get_running_loop()
    settings, names = service.settings, service.devices.names

    def report(worker: Worker, what: Report) -> None:
        # The loop is closed once the server has ended; nobody is left to tell.
        if not loop.is_closed():
            loop.call_soon_threadsafe(service.dispatcher.report, worker, what)

    sources, threads = checkpoints.locate(settings), thread_count(settings.threads, len(names))
    workers = [Worker(Assignment(name, threads, len(names), sources), settings, report) for name in names]
    for worker in workers:
        service.dispatcher.engage(worker)
    logger.info("starting %d engines of %d threads on %s", len(names), threads, ", ".join(names))
    return workers
