"""A server that fails in the way that the variable MISBEHAVE names, where the real one cannot be made to."""

import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class OnceReady(BaseHTTPRequestHandler):
    """Alive, and ready once: enough for the startup probe, and for no other."""

    answers = iter([200])

    def do_GET(self) -> None:
        status = 200 if self.path == "/v1/healthz" else next(self.answers, 503)
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing."""


def main() -> None:
    match os.environ["MISBEHAVE"]:
        case "no device":  # the real server, asked for what the node does not have
            os.execvpe("python", ["python", "-m", "kronos_server"], {**os.environ, "KRONOS_DEVICE": "cuda:all"})
        case "unready":
            ThreadingHTTPServer(("", 8000), OnceReady).serve_forever()
        case "asleep":
            time.sleep(3600)


main()
