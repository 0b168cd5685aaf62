"""Starts the forecast server with the settings of its environment."""

import logging
import sys
from typing import TYPE_CHECKING

# Spawned engines import this module again: what only the server needs is imported in `main`.
from kronos_server.errors import StartFailed

if TYPE_CHECKING:
    from kronos_server.settings import Settings

logger = logging.getLogger("kronos_server")


def main() -> None:
    """Runs until SIGTERM. Exits 0 after a drain, 1 with a reason otherwise."""
    from kronos_server import logs, settings
    from kronos_server.lifecycle import leave_message

    logs.configure("INFO")
    try:
        ours, warnings = settings.read()
    except StartFailed as error:
        leave_message(settings.TERMINATION_LOG, str(error))
        sys.exit(f"kronos-server: {error}")
    logs.configure(ours.log_level)
    for warning in warnings:
        logger.warning(warning)
    sys.exit(run(ours))


def run(settings: "Settings") -> int:
    """Serves; the exit code."""
    import uvicorn

    from kronos_server import checkpoints, devices
    from kronos_server.app import create_app, create_service
    from kronos_server.connections import protocol
    from kronos_server.lifecycle import Lifecycle, allow_many_connections, calm_collector, leave_message

    logger.info("settings", extra={"settings": settings.model_dump(mode="json")})
    try:
        checkpoints.locate(settings)
        chosen = devices.choose(settings.device, settings.device_fallback)
    except StartFailed as error:
        logger.critical("cannot start: %s", error)
        leave_message(settings.termination_log, str(error))
        return 1
    if chosen.warning:
        logger.warning(chosen.warning)
    service = create_service(settings, chosen, lambda reason: server.fail(reason))
    config = uvicorn.Config(
        create_app(service),
        host=settings.host,
        port=settings.port,
        http=protocol(service),
        ws="none",
        timeout_keep_alive=settings.keep_alive_seconds,
        # Whom to believe about a client's address is decided in one place, which is not this one.
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
    )
    allow_many_connections()
    calm_collector()
    server = Lifecycle(config, service)
    server.run()
    if server.failure:
        leave_message(settings.termination_log, server.failure)
    return 1 if server.failure else 0


if __name__ == "__main__":
    main()
