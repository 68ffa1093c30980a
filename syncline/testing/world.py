"""What the contract needs of the world outside a connector: a vendor (real, or a twin of it) that people use, and hosts that misbehave."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol


class World(Protocol):
    """The vendor as its own users see it. It never goes through the connector, so it can judge the connector."""

    def seed(self, values: Mapping[str, Any]) -> str:
        """A person makes a record with these native values; returns its ref."""

    def seed_at_once(self, rows: list[Mapping[str, Any]]) -> list[str]:
        """Many records with one and the same change stamp, as an import leaves them; returns their refs."""

    def edit(self, ref: str, values: Mapping[str, Any]) -> None:
        """A person changes native values of a record."""

    def delete(self, ref: str) -> None:
        """A person deletes a record in the vendor's ordinary way."""

    def state(self, ref: str) -> Mapping[str, Any] | None:
        """The native values the vendor truly holds now; None when the record is not live."""

    def count(self, field: str, value: str) -> int:
        """How many live records have this native value."""


class _Page(BaseHTTPRequestHandler):
    """Answers everything with a web page, as a proxy's login page does."""

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b"<!DOCTYPE html><title>Please log in</title>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@contextmanager
def html_host() -> Iterator[str]:
    """The URL of a host that answers with a web page, whatever is asked."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def closed_port() -> str:
    """The URL of a host where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"
