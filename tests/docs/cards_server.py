"""Cards, the invented vendor of docs/connectors.md: its server, and its people as they see themselves."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

BLANK = {"name": "", "email": "", "opted_out": False, "deleted": False, "key": ""}


class People:
    """The account. Stamps never repeat unless people come `at_once`."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}

    def seed(self, values: Mapping[str, Any], at_us: int | None = None) -> str:
        ref = f"p{len(self.rows):05}"
        self.rows[ref] = {"id": ref, **BLANK, **values, "changed_us": at_us or now_us()}
        return ref

    def seed_at_once(self, rows: list[Mapping[str, Any]]) -> list[str]:
        at_us = now_us()
        return [self.seed(row, at_us) for row in rows]

    def edit(self, ref: str, values: Mapping[str, Any]) -> None:
        self.rows[ref] |= {**values, "changed_us": now_us()}

    def delete(self, ref: str) -> None:
        self.edit(ref, {"deleted": True})

    def state(self, ref: str) -> Mapping[str, Any] | None:
        row = self.rows.get(ref)
        return None if row is None or row["deleted"] else dict(row)

    def count(self, field: str, value: str) -> int:
        return len(self.live(field, value))

    def live(self, field: str, value: Any) -> list[dict[str, Any]]:
        return [row for row in self.rows.values() if not row["deleted"] and row[field] == value]


def now_us() -> int:
    return time.time_ns() // 1000


class Server(ThreadingHTTPServer):
    """`people`: the account's; `token`: the one that is good."""

    token = "good"

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.people = People()
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """Answers as docs/connectors.md says."""

    server: Server
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        status, said = self._route(urlsplit(self.path), body)
        data = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PATCH = do_DELETE = _answer

    def _route(self, url: Any, body: dict[str, Any]) -> tuple[int, Any]:
        if self.headers.get("Authorization") != f"Bearer {self.server.token}":
            return 401, {}
        if url.path == "/account":
            return 200, {"name": "Cards of the tests"}
        if url.path == "/people":
            return self._create(body) if self.command == "POST" else (200, self._list(dict(parse_qsl(url.query))))
        return self._one(url.path.removeprefix("/people/"), body)

    def _list(self, asked: dict[str, str]) -> dict[str, Any]:
        people = self.server.people
        if "since_us" not in asked:
            ((field, value),) = asked.items()
            return {"people": people.live(field, value)}
        rows = sorted(people.rows.values(), key=lambda row: row["id"])
        wanted = [row for row in rows if row["changed_us"] >= int(asked["since_us"]) and row["id"] > asked.get("after", "")]
        return {"now_us": now_us(), "people": wanted[: int(asked["limit"])]}

    def _create(self, body: dict[str, Any]) -> tuple[int, Any]:
        people = self.server.people
        if "@" not in body.get("email", ""):
            return 422, {"field": "email"}
        for again in people.live("email", body["email"]):
            return (200, again) if again["key"] == body["key"] else (409, {"id": again["id"]})
        return 201, people.rows[people.seed(body)]

    def _one(self, ref: str, body: dict[str, Any]) -> tuple[int, Any]:
        people = self.server.people
        row = people.rows.get(ref)
        if row is None:
            return 404, {}
        if self.command != "GET" and row["deleted"]:
            return 410, {}
        if self.command == "PATCH":
            people.edit(ref, body)
        if self.command == "DELETE":
            people.delete(ref)
        return 200, people.rows[ref]

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@contextmanager
def cards_server() -> Iterator[Server]:
    """A running account without anybody in it."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
