"""What a running server is made of, for its routes."""

import time
from dataclasses import dataclass, field

from kronos_server.bodies import Bodies
from kronos_server.devices import Devices
from kronos_server.dispatch import Dispatcher
from kronos_server.metrics import Metrics
from kronos_server.peer import Peers
from kronos_server.settings import Settings


@dataclass(frozen=True)
class Service:
    """The parts, wired once at the start."""

    settings: Settings
    devices: Devices
    dispatcher: Dispatcher
    peers: Peers
    metrics: Metrics
    bodies: Bodies
    started: float = field(default_factory=time.monotonic)

    @property
    def pool(self) -> str:
        """The pool this server belongs to."""
        return self.settings.pool or self.devices.pool
