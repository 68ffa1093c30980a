"""The one HTTP door of all connectors: paced, counted, repeated only where that is safe, and silent about people and secrets.

It promises: a call leaves no faster than the vendor allows; a write is never sent twice unless the vendor said that it did nothing, or the
caller said that a repeat is harmless; whatever happens comes out as one of `syncline.errors`; a message names the platform, the method and
the path *template*, never a query, an address, a body or a token. Connectors import it; nobody else does.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, Literal

import msgspec
import tenacity

from connectors.http_answers import Reply, epoch_us, error_for, is_json
from connectors.http_wire import Wire
from connectors.pace import Clock, Pace, Rate
from syncline.errors import BudgetSpent, OutcomeUnknown, RateLimited, SyncError, Unreachable

__all__ = ["Clock", "Door", "ErrorTable", "Pace", "Purpose", "Rate", "Reply"]

Purpose = Literal["read", "recheck", "write"]
ErrorTable = Mapping[int, Callable[[Reply, str], SyncError | None]]
"""Status → what it means on this platform, given the reply and "Platform METHOD /path"; None falls back to the common meaning."""

LONGEST_WAIT_S = 120.0  # a vendor that wants us to wait longer gets its wish from the next run
TRIES = 5
SAME_CLOCK_US = 2_000_000  # `Date` has whole seconds and travels: less than this is no difference


class _Again(Exception):
    """Wraps an error after which the same call may be sent once more."""

    def __init__(self, error: SyncError) -> None:
        super().__init__(str(error))
        self.error = error


class Door:
    """One platform's API at `base_url`. Threads may share it.

    `headers` carry the credentials and `secrets` are their literal texts, to be struck from anything said. `rate` may be None
    (self-hosted). `max_connections` bounds simultaneous calls, `budget` the calls of this door's life. `errors` is the platform's own
    ErrorTable. `calls` counts what was sent, by purpose: "read", "recheck", "write". `clock_offset_us` is the vendor's clock minus ours,
    0 if about equal.
    """

    def __init__(
        self,
        platform: str,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        secrets: Iterable[str] = (),
        timeout_s: float = 60.0,
        rate: Rate | None = None,
        max_connections: int = 4,
        budget: int | None = None,
        errors: ErrorTable | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.platform = platform
        self.max_connections = max_connections
        self.calls: Counter[str] = Counter()
        self.clock_offset_us = 0
        self.clock = clock or Clock()
        self._secrets = tuple(secret for secret in secrets if secret)
        self._pace = Pace(rate, self.clock) if rate else None
        self._budget = budget
        self._errors = errors or {}
        self._lock = threading.Lock()
        self._wire = Wire(platform, base_url, headers or {}, timeout_s, max_connections)
        self._repeat = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_Again),
            wait=_wait,
            stop=tenacity.stop_after_attempt(TRIES),
            sleep=self.clock.sleep,
            reraise=True,
        )

    def __repr__(self) -> str:
        return f"Door({self.platform} at {self._wire.host})"

    def call(
        self,
        method: str,
        path: str,
        *,
        args: Mapping[str, str] | None = None,
        query: Mapping[str, Any] | None = None,
        json: Any = None,
        purpose: Purpose = "read",
        repeat: bool | None = None,
        expect: tuple[int, ...] = (),
        decoder: msgspec.json.Decoder[Any] | None = None,
        pace: Pace | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """One call. `path` is a template ("/lists/{list}/members"), `args` fill it, quoted.

        `repeat`: sending it twice is harmless (default: true unless it is a write). `expect`: error statuses the caller handles itself.
        `decoder`: a typed msgspec decoder for a 2xx body. `pace`: another limit in place of the door's own, for calls that
        the vendor counts apart (HubSpot's search).
        Raises AuthFailed, Forbidden, Unreachable, RateLimited, BudgetSpent, OutcomeUnknown (writes), Vanished, Stale, Rejected.
        """
        where = f"{self.platform} {method} {path}"
        request = self._wire.request(method, path, args, query, json, headers)
        repeat = purpose != "write" if repeat is None else repeat
        try:
            return self._repeat(self._once, request, where, purpose, repeat, expect, decoder, pace)
        except _Again as last:
            error = last.error
        raise error

    def spread(self, function: Callable[[Any], Any], items: Iterable[Any], workers: int | None = None) -> Iterator[Any]:
        """`function` over `items`, results in order, at most `workers` (default `max_connections`) at a time; `items` is read as needed."""
        workers, items = workers or self.max_connections, iter(items)
        with ThreadPoolExecutor(workers) as pool:
            running: list[Future[Any]] = [pool.submit(function, item) for item in islice(items, workers)]
            while running:
                result = running.pop(0).result()
                running += [pool.submit(function, item) for item in islice(items, 1)]
                yield result

    def close(self) -> None:
        """Frees the connections; safe to call twice."""
        self._wire.close()

    def hide(self, text: str) -> str:
        """`text` without our secrets."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def _once(self, request: Any, where: str, purpose: Purpose, repeat: bool, expect: Any, decoder: Any, pace: Pace | None) -> Reply:
        self._count(purpose)
        if limit := pace or self._pace:
            limit.wait()
        asked_s = self.clock.now()
        reply, problem, sent = self._wire.send(request)
        if reply is None:
            raise self._silence(where, problem, sent=sent, repeat=repeat)
        self._measure(reply, asked_s)
        if 200 <= reply.status < 300 or reply.status in expect:
            return self._decoded(reply, where, decoder, repeat)
        raise self._failure(reply, where, repeat)

    def _count(self, purpose: Purpose) -> None:
        with self._lock:
            if self._budget is not None and self.calls.total() >= self._budget:
                raise BudgetSpent(f"{self.platform}: this run's budget of {self._budget} calls is used up; the rest waits for the next run")
            self.calls[purpose] += 1

    def _silence(self, where: str, problem: str, *, sent: bool, repeat: bool) -> Exception:
        if sent and not repeat:
            return OutcomeUnknown(f"{where}: sent, but no answer came ({problem}); it may or may not have been applied")
        error = Unreachable(f"{where}: {self._wire.host} cannot be reached ({problem})")
        return _Again(error)

    def _decoded(self, reply: Reply, where: str, decoder: Any, repeat: bool) -> Reply:
        try:
            if reply.body:
                decode = decoder.decode if decoder and reply.status < 300 else msgspec.json.decode
                reply.data = decode(reply.body)
            return reply
        except (msgspec.DecodeError, UnicodeDecodeError):
            error = self._foreign(reply, where, repeat)
        raise error

    def _foreign(self, reply: Reply, where: str, repeat: bool) -> Exception:
        """The answer is not the vendor's JSON: a proxy's login page, a gateway's error page, or not this API at all."""
        kind = reply.headers.get("Content-Type", "").partition(";")[0] or "nothing"
        text = f"{where}: {self._wire.host} answered {reply.status} with {kind}, not with JSON of the expected shape"
        return _Again(Unreachable(text)) if repeat else OutcomeUnknown(text)

    def _failure(self, reply: Reply, where: str, repeat: bool) -> Exception:
        """The error for a reply that is no success, wrapped in _Again if the call may be sent once more."""
        if is_json(reply):
            try:
                reply.data = msgspec.json.decode(reply.body)
            except (msgspec.DecodeError, UnicodeDecodeError):
                reply.data = None
        special = self._errors.get(reply.status, _nothing_special)(reply, where)
        error = special or error_for(reply, where, self.clock.now(), self.hide)
        if isinstance(error, RateLimited):
            return error if (error.after_s or 0) > LONGEST_WAIT_S else _Again(error)
        if special:
            return special
        if reply.status >= 500 or reply.status == 408:
            return _Again(error) if repeat else OutcomeUnknown(f"{where}: answered {reply.status}; it may or may not have been applied")
        if not is_json(reply) and reply.body and reply.status != 401:
            # A refusal that is not the vendor's own never reached the vendor.
            return self._foreign(reply, where, repeat=True)
        return error

    def _measure(self, reply: Reply, asked_s: float) -> None:
        """Notes the vendor's clock: `asked_us` is the vendor's time when we asked, rounded down."""
        answered_s = self.clock.now()
        date_us = epoch_us(reply.headers.get("Date"))
        if date_us is None:
            reply.asked_us = int(asked_s * 1_000_000) + self.clock_offset_us
            return
        reply.asked_us = date_us - int((answered_s - asked_s) * 1_000_000)
        # The header's fraction is cut off: on average the vendor's clock stood half a second later.
        offset_us = date_us + 500_000 - int((asked_s + answered_s) * 500_000)
        self.clock_offset_us = offset_us if abs(offset_us) >= SAME_CLOCK_US else 0


# The random part keeps many clients from coming back together.
_pause = tenacity.wait_exponential(multiplier=0.5, max=20) + tenacity.wait_random(0, 0.5)


def _nothing_special(_reply: Reply, _where: str) -> None:
    return None


def _wait(state: tenacity.RetryCallState) -> float:
    """The vendor's wish if it has one, else a growing pause."""
    again = state.outcome.exception() if state.outcome else None
    wish_s = getattr(getattr(again, "error", None), "after_s", None)
    return float(_pause(state) if wish_s is None else wish_s)
