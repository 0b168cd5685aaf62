"""A hub of models for networks without one: the part of the Hugging Face API that its client asks for.

`python fake_hub.py PORT OWNER/NAME=FOLDER ...` serves each folder as a repository and prints a line for every request.
Every commit of 40 hexadecimal digits that does not begin with 0 exists. Repositories of the owner `private` need the
token `secret`; the weights of the owner `broken` differ in one bit from what their digests say.
Source: the Hugging Face documentation, "Hub API endpoints", and what huggingface_hub 2 sends.
"""

import hashlib
import json
import re
import sys
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TOKEN = "secret"
LARGE = ".safetensors"
_FILE = re.compile(r"/(?P<repository>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
_TREE = re.compile(r"/api/models/(?P<repository>[^/]+/[^/]+)/tree/(?P<revision>[^/?]+)(\?.*)?")


class Hub(BaseHTTPRequestHandler):
    """Answers HEAD and GET for files, and GET for the facts about a repository."""

    protocol_version = "HTTP/1.1"
    repositories: Mapping[str, Path]

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def log_message(self, *_: Any) -> None:
        """Nothing: the answer is printed with what was asked."""

    def _answer(self, with_body: bool) -> None:
        status, headers, body = self._found()
        print(self.command, self.path, status, flush=True)  # noqa: T201 - the test reads it
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def _found(self) -> tuple[int, dict[str, str], bytes]:
        asked = _FILE.fullmatch(self.path) or _TREE.fullmatch(self.path)
        if asked is None:
            return 404, {}, b""
        name = asked["repository"]
        secret = name.startswith("private/") and self.headers["Authorization"] != f"Bearer {TOKEN}"
        if secret or name not in self.repositories:
            return 401, {"X-Error-Code": "RepoNotFound"}, b""  # as the real one: it does not tell which of the two
        if asked["revision"].startswith("0") or len(asked["revision"]) != 40:
            return 404, {"X-Error-Code": "RevisionNotFound"}, b""
        if "path" in asked.groupdict():
            return _file(self.repositories[name] / asked["path"], asked["revision"], broken=name.startswith("broken/"))
        return 200, {"Content-Type": "application/json"}, json.dumps(_tree(self.repositories[name])).encode()


def _file(path: Path, commit: str, broken: bool) -> tuple[int, dict[str, str], bytes]:
    if not path.is_file():
        return 404, {"X-Error-Code": "EntryNotFound"}, b""
    content = path.read_bytes()
    if broken and path.suffix == LARGE:
        content = content[:-1] + bytes([content[-1] ^ 1])
    return 200, {"ETag": f'"{_sha256(path)}"', "X-Repo-Commit": commit}, content


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _tree(folder: Path) -> list[dict[str, Any]]:
    """Every file with the digest of its content: that of large files is the LFS object's."""
    return [
        {
            "type": "file",
            "path": str(path.relative_to(folder)),
            "size": path.stat().st_size,
            "oid": hashlib.sha1(b"blob %d\0" % path.stat().st_size + path.read_bytes()).hexdigest(),
            **({"lfs": _large(path)} if path.suffix == LARGE else {}),
        }
        for path in _files(folder)
    ]


def _large(path: Path) -> dict[str, Any]:
    return {"oid": _sha256(path), "size": path.stat().st_size, "pointerSize": 134}


def serve(repositories: Mapping[str, Path], address: str, port: int) -> ThreadingHTTPServer:
    """A hub that listens; the caller runs and closes it."""
    return ThreadingHTTPServer((address, port), type("Hub", (Hub,), {"repositories": repositories}))


if __name__ == "__main__":
    folders = dict(argument.split("=", 1) for argument in sys.argv[2:])
    serve({name: Path(folder) for name, folder in folders.items()}, "0.0.0.0", int(sys.argv[1])).serve_forever()
