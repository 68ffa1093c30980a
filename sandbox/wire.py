"""The door both twins share: routes, counted calls, faults, clock and the unauthenticated `/_twin` control calls.

A vendor is any object with the attributes of `Vendor`. Handlers are plain functions `(Request) -> Reply` on one thread, so a
vendor's state needs no lock.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from email.utils import format_datetime
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote

import msgspec

from .clock import Clock, to_utc
from .faults import Fault, Faults

JSON = (b"content-type", b"application/json;charset=utf-8")
HTML = b"<!DOCTYPE html><html><head><title>Access denied</title></head><body>Access denied</body></html>"


class Request(msgspec.Struct):
    method: str
    path: str
    template: str
    params: dict[str, str]
    query: dict[str, str]
    headers: dict[bytes, bytes]
    raw: bytes
    in_flight: int = 1
    fault: Fault | None = None

    def struck(self, kind: str) -> bool:
        return self.fault is not None and self.fault.kind == kind

    def spoiled(self) -> set[int]:
        """Positions of batch items that an `item_error` fault must fail."""
        return set(self.fault.items) if self.fault and self.struck("item_error") else set()


class Reply(msgspec.Struct):
    """`read` and `wrote` count records; a bytes body is sent as it is, anything else as JSON."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = {}
    read: int = 0
    wrote: int = 0


class Refused(Exception):
    """The vendor says no, with this reply."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply.status))
        self.reply = reply


class Route(msgspec.Struct):
    method: str
    template: str
    handler: Callable[[Request], Reply]
    scope: str = ""


class Vendor(Protocol):
    """What a twin must offer the door."""

    clock: Clock
    faults: Faults
    routes: list[Route]

    def admit(self, request: Request, route: Route) -> dict[str, str]:
        """Check credentials and limits; returns headers for the answer. Raises Refused."""

    def fail(self, kind: str, request: Request) -> Reply:
        """The vendor's own answer for: 429, 500, drop_scope, expire_token, not_found, bad_json."""

    def records(self) -> list[dict]: ...
    def effects(self, since: int) -> list[dict]: ...
    def edit(self, order: dict) -> dict: ...
    def reset(self) -> None: ...


class Calls:
    """Counts of calls as the vendor would bill them."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.by_call: Counter[str] = Counter()
        self.by_status: Counter[str] = Counter()
        self.records_read = self.records_written = self.most_at_once = 0

    def view(self) -> dict:
        return {
            "calls": dict(self.by_call), "total": self.by_call.total(), "by_status": dict(self.by_status),
            "throttled": self.by_status["429"], "records_read": self.records_read,
            "records_written": self.records_written, "most_at_once": self.most_at_once,
        }  # fmt: skip


class Door:
    """The ASGI application in front of a vendor."""

    def __init__(self, vendor: Vendor) -> None:
        self.vendor = vendor
        self.calls = Calls()
        self.in_flight = 0
        self.exact = {(r.method, r.template): r for r in vendor.routes if "{" not in r.template}
        self.loose = [(r, r.template.strip("/").split("/")) for r in vendor.routes if "{" in r.template]

    async def __call__(self, scope: dict, receive: Callable, send: Callable) -> None:
        raw = await _body(receive)
        if scope["path"].startswith("/_twin/"):
            await self._answer(send, control(self, scope, raw))
            return
        self.in_flight += 1
        try:
            reply = await self._serve(scope, raw)
            if self.vendor.faults.latency_s:
                await asyncio.sleep(self.vendor.faults.latency_s)
        finally:
            self.in_flight -= 1
        if reply is None:
            await self._drop(receive)
        else:
            await self._answer(send, reply)

    async def _serve(self, scope: dict, raw: bytes) -> Reply | None:
        """The reply, or None when the connection is to be dropped unanswered."""
        route, params = self._route(scope["method"], scope["raw_path"].decode("latin-1").split("?")[0])
        template = route.template if route else "(unknown)"
        request = Request(
            scope["method"], scope["path"], template, params,
            dict(parse_qsl(scope["query_string"].decode(), keep_blank_values=True)), dict(scope["headers"]), raw, self.in_flight,
        )  # fmt: skip
        call = f"{request.method} {template}"
        self.calls.by_call[call] += 1
        self.calls.most_at_once = max(self.calls.most_at_once, self.in_flight)
        request.fault = self.vendor.faults.take(call)
        reply = self._reply(route, request)
        self.calls.by_status[str(reply.status) if reply else "dropped"] += 1
        return reply

    def _reply(self, route: Route | None, request: Request) -> Reply | None:
        kind = request.fault.kind if request.fault else ""
        if kind == "timeout_before":
            return None
        if kind == "html":
            return Reply(HTML, request.fault.status, {"content-type": "text/html"})
        if kind in ("429", "500_before", "drop_scope", "expire_token"):
            return self._struck(kind, request)
        try:
            headers = self.vendor.admit(request, route) if route else {}
            reply = route.handler(request) if route else self.vendor.fail("not_found", request)
            reply.headers = {**headers, **reply.headers}
        except Refused as refusal:
            reply = refusal.reply
        except msgspec.MsgspecError:
            reply = self.vendor.fail("bad_json", request)
        self.calls.records_read += reply.read
        self.calls.records_written += reply.wrote
        if kind == "500_after":
            return self._struck(kind, request)
        return None if kind == "timeout_after" else reply

    def _struck(self, kind: str, request: Request) -> Reply:
        reply = self.vendor.fail("500" if kind.startswith("500") else kind, request)
        if request.fault.retry_after is not None:
            reply.headers = {**reply.headers, "Retry-After": str(request.fault.retry_after)}
        return reply

    def _route(self, method: str, path: str) -> tuple[Route | None, dict[str, str]]:
        path = "/" + path.strip("/")
        if found := self.exact.get((method, path)) or self.exact.get((method, path + "/")):
            return found, {}
        parts = path.strip("/").split("/")
        for route, shape in self.loose:
            if route.method == method and len(shape) == len(parts):
                pairs = list(zip(shape, parts, strict=True))
                if all(want == got or want[0] == "{" for want, got in pairs):
                    return route, {want[1:-1]: unquote(got) for want, got in pairs if want[0] == "{"}
        return None, {}

    async def _drop(self, receive: Callable) -> None:
        """Hang, then cut the line without a byte: the caller cannot know whether the call was applied.

        ASGI has no word for that, so this reaches for the server's own transport behind `receive`.
        """
        await asyncio.sleep(self.vendor.faults.hold_s)
        receive.__self__.transport.abort()  # type: ignore[attr-defined]
        while (await receive())["type"] != "http.disconnect":
            pass

    async def _answer(self, send: Callable, reply: Reply) -> None:
        body = reply.body if isinstance(reply.body, bytes) else b"" if reply.status == 204 else msgspec.json.encode(reply.body)
        date = format_datetime(to_utc(self.vendor.clock.now_ms()), usegmt=True)
        headers = [(b"date", date.encode()), (b"content-length", b"%d" % len(body))]
        headers += [(k.lower().encode(), v.encode()) for k, v in reply.headers.items()]
        if "content-type" not in reply.headers:
            headers.append(JSON)
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def _body(receive: Callable) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def control(door: Door, scope: dict, raw: bytes) -> Reply:
    """The `/_twin` calls: not authenticated, not counted, never faulty. A refused order answers 400 {"error"}."""
    vendor, query = door.vendor, dict(parse_qsl(scope["query_string"].decode()))
    table: dict[str, Callable[[dict], Any]] = {
        "GET records": lambda _: vendor.records(),
        "GET effects": lambda _: vendor.effects(int(query.get("since", 0))),
        "POST edit": vendor.edit,
        "POST reset": lambda _: [vendor.reset(), door.calls.reset()],
        "GET calls": lambda _: door.calls.view(),
        "POST calls": lambda _: door.calls.reset() or door.calls.view(),
        "GET faults": lambda _: vendor.faults.view(),
        "POST faults": vendor.faults.set,
        "GET clock": lambda _: vendor.clock.set(),
        "POST clock": lambda body: vendor.clock.set(**body),
    }
    act = table.get(f"{scope['method']} {scope['path'].removeprefix('/_twin/')}")
    if act is None:
        return Reply({"error": "no such control call"}, 404)
    try:
        return Reply(act(msgspec.json.decode(raw) if raw else {}))
    except Refused as refusal:
        return Reply({"error": "refused by the vendor", "answer": refusal.reply.body}, 400)
    except (ValueError, TypeError, KeyError) as error:
        return Reply({"error": f"{type(error).__name__}: {error}"}, 400)
