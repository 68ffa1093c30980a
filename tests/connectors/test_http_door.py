"""The HTTP door on the wire: what it sends, what it repeats, what it says."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import sleep
from typing import Any, ClassVar

import pytest
import requests
import responses

from connectors.http import Clock, Door, Pace, Rate
from syncline.errors import (
    AuthFailed,
    BudgetSpent,
    Forbidden,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Stale,
    SyncError,
    Unreachable,
    Vanished,
)
from syncline.testing import closed_port

HOST = "https://api.people.example"
TOKEN = "pat-very-secret"
NOW_S = 1_767_225_600.0  # 2026-01-01T00:00:00Z


@dataclass
class Time:
    """A clock that stands still but for sleeping."""

    at_s: float = NOW_S
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at_s += seconds

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.at_s, lambda: self.at_s, self.sleep)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def wire() -> Any:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as wire:
        yield wire


@pytest.fixture
def door(time: Time) -> Door:
    return Door("Acme", HOST, headers={"Authorization": f"Bearer {TOKEN}"}, secrets=(TOKEN,), clock=time.clock)


def write(door: Door, **more: Any) -> Any:
    return door.call("POST", "/people/{email}", args={"email": "ann@people.example"}, json={"a": 1}, purpose="write", **more)


def test_a_call_sends_credentials_quoted_path_query_and_body(wire: Any, door: Door) -> None:
    wire.post(f"{HOST}/people/ann%40people.example", json={"ok": True}, status=201)
    reply = door.call(
        "POST", "/people/{email}", args={"email": "ann@people.example"}, query={"q": "a b"}, json={"é": None}, purpose="write"
    )
    sent = wire.calls[0].request
    assert (reply.status, reply.data) == (201, {"ok": True})
    assert sent.headers["Authorization"] == f"Bearer {TOKEN}"
    assert sent.url == f"{HOST}/people/ann%40people.example?q=a+b"
    assert sent.body == '{"é":null}'.encode()
    assert sent.headers["Content-Length"] == str(len(sent.body))


def test_no_body_gives_no_data(wire: Any, door: Door) -> None:
    wire.delete(f"{HOST}/x", status=204)
    assert door.call("DELETE", "/x", purpose="write").data is None


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, AuthFailed), (403, Forbidden), (404, Vanished), (410, Vanished), (412, Stale), (400, Rejected), (422, Rejected)],
)
def test_a_status_becomes_an_error_that_names_only_the_template(wire: Any, door: Door, status: int, error: type[SyncError]) -> None:
    wire.post(f"{HOST}/people/ann%40people.example", json={"message": f"no {TOKEN} ann@people.example"}, status=status)
    with pytest.raises(error) as caught:
        write(door)
    assert "Acme POST /people/{email}" in str(caught.value)
    assert "ann@" not in str(caught.value)
    assert TOKEN not in f"{caught.value} {caught.value.detail} {door!r}"
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert len(wire.calls) == 1


def test_an_expected_status_comes_back_decoded(wire: Any, door: Door) -> None:
    wire.get(f"{HOST}/x", json={"why": 1}, status=409)
    reply = door.call("GET", "/x", expect=(409,))
    assert (reply.status, reply.data) == (409, {"why": 1})


@pytest.mark.parametrize(
    ("wish", "waited"), [("7", 7.0), ("0.5", 0.5), ("Thu, 01 Jan 2026 00:00:09 GMT", 9.0), ("Wed, 31 Dec 2025 00:00:00 GMT", 0.0)]
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_wish_to_wait_is_granted_even_to_a_write(wire: Any, door: Door, time: Time, wish: str, waited: float, status: int) -> None:
    wire.post(f"{HOST}/x", status=status, headers={"Retry-After": wish})
    wire.post(f"{HOST}/x", json={}, status=200)
    door.call("POST", "/x", purpose="write")
    assert time.slept == [waited]


def test_too_long_a_wish_is_left_to_the_next_run(wire: Any, door: Door, time: Time) -> None:
    wire.get(f"{HOST}/x", status=429, headers={"Retry-After": "86400"})
    with pytest.raises(RateLimited) as caught:
        door.call("GET", "/x")
    assert (caught.value.after_s, time.slept) == (86400.0, [])


def test_asking_to_wait_for_ever_ends_as_rate_limited(wire: Any, door: Door, time: Time) -> None:
    wire.get(f"{HOST}/x", status=429)
    with pytest.raises(RateLimited):
        door.call("GET", "/x")
    assert len(wire.calls) == 5
    assert len(time.slept) == 4


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408])
def test_a_broken_server_is_asked_again_for_reads_only(wire: Any, door: Door, status: int) -> None:
    wire.post(f"{HOST}/x", status=status)
    with pytest.raises(OutcomeUnknown):
        door.call("POST", "/x", purpose="write")
    assert len(wire.calls) == 1
    with pytest.raises(Unreachable):
        door.call("POST", "/x")
    assert len(wire.calls) == 6


@pytest.mark.parametrize("broken", [requests.ConnectionError("reset"), requests.ReadTimeout("slow")])
def test_silence_after_sending_leaves_a_write_unknown(wire: Any, door: Door, broken: Exception) -> None:
    wire.post(f"{HOST}/people/ann%40people.example", body=broken)
    with pytest.raises(OutcomeUnknown) as caught:
        write(door)
    assert len(wire.calls) == 1
    assert caught.value.__context__ is None
    wire.post(f"{HOST}/people/ann%40people.example", json={})
    assert write(door, repeat=True).status == 200


def test_a_write_that_never_left_is_repeated(wire: Any, door: Door) -> None:
    wire.post(f"{HOST}/x", body=requests.ConnectTimeout("nobody there"))
    with pytest.raises(Unreachable):
        door.call("POST", "/x", purpose="write")
    assert len(wire.calls) == 5


@pytest.mark.parametrize("status", [200, 403, 404])
def test_a_web_page_is_named_by_host_and_type(wire: Any, door: Door, status: int) -> None:
    wire.get(f"{HOST}/x", body="<html>Sign in, Ann</html>", content_type="text/html; charset=utf-8", status=status)
    with pytest.raises(Unreachable) as caught:
        door.call("GET", "/x")
    assert "api.people.example" in str(caught.value)
    assert "text/html" in str(caught.value)
    assert "Ann" not in f"{caught.value} {caught.value.detail}"


def test_a_redirect_is_not_followed(wire: Any, door: Door) -> None:
    wire.get(f"{HOST}/x", status=302, headers={"Location": "https://elsewhere.example/"})
    wire.get("https://elsewhere.example/", json={})
    with pytest.raises(Unreachable):
        door.call("GET", "/x")
    assert {call.request.url for call in wire.calls} == {f"{HOST}/x"}


def test_the_platform_has_the_first_word(wire: Any, time: Time) -> None:
    def throttled(reply: Any, where: str) -> SyncError | None:
        return RateLimited(where, after_s=3) if reply.data is None else None

    door = Door("Acme", HOST, errors={403: throttled}, clock=time.clock)
    wire.get(f"{HOST}/x", status=403, body="slow down", content_type="text/plain")
    wire.get(f"{HOST}/x", json={"detail": "no"}, status=403)
    with pytest.raises(Forbidden):
        door.call("GET", "/x")
    assert time.slept == [3.0]


def test_calls_are_counted_by_purpose_and_bounded(wire: Any, time: Time) -> None:
    door = Door("Acme", HOST, budget=3, clock=time.clock)
    wire.add_callback("GET", f"{HOST}/x", lambda request: (200, {}, "{}"), content_type="application/json")
    for purpose in ("read", "recheck", "write"):
        door.call("GET", "/x", purpose=purpose)
    with pytest.raises(BudgetSpent):
        door.call("GET", "/x")
    assert door.calls == {"read": 1, "recheck": 1, "write": 1}


@pytest.mark.parametrize(("date", "offset_s"), [("Thu, 01 Jan 2026 00:07:00 GMT", 420.5), ("Thu, 01 Jan 2026 00:00:01 GMT", 0)])
def test_the_vendors_clock_is_measured(wire: Any, door: Door, date: str, offset_s: float) -> None:
    wire.get(f"{HOST}/x", json={}, headers={"Date": date})
    reply = door.call("GET", "/x")
    assert door.clock_offset_us == offset_s * 1_000_000
    assert reply.asked_us >= NOW_S * 1_000_000


def test_a_token_with_a_line_break_is_refused_without_being_shown() -> None:
    with pytest.raises(SyncError) as caught:
        Door("Acme", HOST, headers={"Authorization": f"Bearer {TOKEN}\n"})
    assert TOKEN not in str(caught.value)


def test_spread_keeps_order_and_reads_no_further_than_it_works(door: Door) -> None:
    taken: list[int] = []
    running = door.spread(lambda n: n * n, (taken.append(n) or n for n in range(50)), workers=3)
    assert [next(running) for _ in range(4)] == [0, 1, 4, 9]
    assert len(taken) <= 8
    assert list(running)[-1] == 49 * 49


def windows(stamps: list[float], per_s: float) -> int:
    return max(sum(start <= other < start + per_s for other in stamps) for start in stamps)


def test_no_window_ever_holds_more_than_our_share(time: Time) -> None:
    rate, stamps = Rate(20, 10, share=0.95), []
    pace = Pace(rate, time.clock)
    for _ in range(100):
        pace.wait()
        stamps.append(time.at_s)
        time.at_s += 0.05
    assert windows(stamps, 10) == rate.limit == 19


def test_threads_share_one_pace() -> None:
    time, lock = Time(), threading.Lock()
    due: list[float] = []

    def booked(seconds: float) -> None:
        with lock:
            due.append(seconds)

    pace = Pace(Rate(10, 1, share=1), Clock(lambda: time.at_s, lambda: time.at_s, booked))
    run: Callable[[], None] = lambda: [pace.wait() for _ in range(20)] and None  # noqa: E731
    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(due) == [float(second) for second in range(1, 6) for _ in range(10)]


def test_a_write_to_a_host_that_is_not_there_was_not_applied(time: Time) -> None:
    with pytest.raises(Unreachable):
        Door("Acme", closed_port(), clock=time.clock).call("POST", "/x", json={}, purpose="write")
    assert len(time.slept) == 4


class _Busy(BaseHTTPRequestHandler):
    """Answers slowly, and counts how many it serves at once."""

    protocol_version = "HTTP/1.1"
    here: ClassVar[list[object]] = []
    most: ClassVar[list[int]] = []

    def do_GET(self) -> None:
        self.here.append(self)
        self.most.append(len(self.here))
        sleep(0.01)
        self.here.remove(self)
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


def test_threads_never_hold_more_connections_than_allowed() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Busy)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    door = Door("Acme", f"http://127.0.0.1:{server.server_port}", max_connections=2)
    try:
        assert {reply.status for reply in door.spread(lambda _: door.call("GET", "/x"), range(12), workers=6)} == {204}
    finally:
        door.close()
        server.shutdown()
        server.server_close()
    assert max(_Busy.most) == 2
