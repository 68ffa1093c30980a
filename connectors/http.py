"""The one HTTP door of all connectors: paced, counted, repeated only where that is safe, and silent about people and secrets.

It promises: a call leaves no faster than the vendor allows; a write is never sent twice unless the vendor said that it did nothing, or the
caller said that a repeat is harmless; whatever happens comes out as one of `syncline.errors`; a message names the platform, the method and
the path *template*, never a query, an address, a body or a token. Connectors import it; nobody else does.

It uses `requests` for proxies, certificates and pools, and hands it finished requests: no redirects (a token must not travel to another
host), no cookies, no walk through the environment on every call.
"""

from __future__ import annotations

import logging
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, Literal
from urllib.parse import quote, urlencode, urlsplit

import msgspec
import requests
import tenacity
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, NewConnectionError

from connectors.http_answers import Reply, epoch_us, error_for, is_json
from connectors.pace import Clock, Pace, Rate
from syncline import __version__
from syncline.errors import BudgetSpent, OutcomeUnknown, RateLimited, SyncError, Unreachable, UsageError

__all__ = ["Clock", "Door", "ErrorTable", "Pace", "Purpose", "Rate", "Reply"]

Purpose = Literal["read", "recheck", "write"]
ErrorTable = Mapping[int, Callable[[Reply, str], SyncError | None]]
"""Status → what it means on this platform, given the reply and "Platform METHOD /path"; None falls back to the common meaning."""

CONNECT_TIMEOUT_S = 10.0
LONGEST_WAIT_S = 120.0  # a vendor that wants us to wait longer gets its wish from the next run
TRIES = 5
SAME_CLOCK_US = 2_000_000  # `Date` has whole seconds and travels: less than this is no difference

# At DEBUG urllib3 prints whole addresses, and an address can hold a person's e-mail.
logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)


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
        self.base_url = base_url.rstrip("/")
        self.host = _host(platform, self.base_url)
        self.max_connections = max_connections
        self.calls: Counter[str] = Counter()
        self.clock_offset_us = 0
        self.clock = clock or Clock()
        self._headers = _safe_headers(platform, {**_COMMON_HEADERS, **(headers or {})})
        self._secrets = tuple(secret for secret in secrets if secret)
        self._timeout = (CONNECT_TIMEOUT_S, timeout_s)
        self._pace = Pace(rate, self.clock) if rate else None
        self._budget = budget
        self._errors = errors or {}
        self._lock = threading.Lock()
        self._session, self._adapter, self._route = _connect(self.base_url, max_connections)
        self._repeat = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_Again),
            wait=_wait,
            stop=tenacity.stop_after_attempt(TRIES),
            sleep=self.clock.sleep,
            reraise=True,
        )

    def __repr__(self) -> str:
        return f"Door({self.platform} at {self.host})"

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
        request = self._request(method, path, args, query, json, headers)
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
        self._session.close()

    def hide(self, text: str) -> str:
        """`text` without our secrets."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def _request(self, method: str, path: str, args: Any, query: Any, json: Any, headers: Any) -> requests.PreparedRequest:
        """A finished request, without the 0.2 ms that requests' own preparation costs."""
        request = requests.PreparedRequest()
        request.method = method
        request.url = self.base_url + (path.format_map({k: quote(v, safe="") for k, v in args.items()}) if args else path)
        if query:
            request.url += "?" + urlencode(query)
        request.headers = requests.structures.CaseInsensitiveDict(self._headers)
        request.headers.update(headers or {})
        request.body = None if json is None else msgspec.json.encode(json)
        if request.body is not None:
            request.headers["Content-Type"] = "application/json"
        if request.body is not None or method not in ("GET", "DELETE"):
            request.headers["Content-Length"] = str(len(request.body or b""))
        return request

    def _once(self, request: Any, where: str, purpose: Purpose, repeat: bool, expect: Any, decoder: Any, pace: Pace | None) -> Reply:
        self._count(purpose)
        if limit := pace or self._pace:
            limit.wait()
        asked_s = self.clock.now()
        reply, problem, sent = self._send(request)
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

    def _send(self, request: requests.PreparedRequest) -> tuple[Reply | None, str, bool]:
        """(reply, "", True), or (None, what happened, whether it may have reached the vendor). Never raises requests' own errors.

        Those hold the whole address and headers, and would travel as the context of ours.
        """
        try:
            answer = self._adapter.send(request, stream=True, timeout=self._timeout, **self._route)
            # Read whole from the raw response: requests would go in chunks of 10 kB.
            body = answer.raw.read(decode_content=True)
        except (requests.ConnectTimeout, requests.exceptions.ProxyError) as error:
            return None, type(error).__name__, False
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            return None, _cause(error), not _never_left(error)
        return Reply(answer.status_code, answer.headers, body), "", True

    def _silence(self, where: str, problem: str, *, sent: bool, repeat: bool) -> Exception:
        if sent and not repeat:
            return OutcomeUnknown(f"{where}: sent, but no answer came ({problem}); it may or may not have been applied")
        error = Unreachable(f"{where}: {self.host} cannot be reached ({problem})")
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
        text = f"{where}: {self.host} answered {reply.status} with {kind}, not with JSON of the expected shape"
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
_COMMON_HEADERS = {"Accept": "application/json", "Accept-Encoding": "gzip, deflate", "User-Agent": f"syncline/{__version__}"}


def _nothing_special(_reply: Reply, _where: str) -> None:
    return None


def _connect(base_url: str, max_connections: int) -> tuple[requests.Session, HTTPAdapter, dict[str, Any]]:
    """Session, adapter and route (proxies, CA), with the environment walked this one time."""
    session = requests.Session()
    route = session.merge_environment_settings(base_url, {}, None, None, None)
    session.trust_env = False
    adapter = HTTPAdapter(pool_connections=1, pool_maxsize=max_connections, pool_block=True)
    session.mount(base_url, adapter)
    return session, adapter, {name: value for name, value in route.items() if name != "stream"}


def _host(platform: str, base_url: str) -> str:
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{platform}: the base URL must look like https://host")
    return parts.hostname


def _safe_headers(platform: str, headers: dict[str, str]) -> dict[str, str]:
    """Checked here because http.client's own complaint would quote the token."""
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable()):
            raise UsageError(f"{platform}: the credentials hold a line break or another character no header can carry ({name})")
    return headers


def _never_left(error: BaseException) -> bool:
    """True when no connection came about, so nothing can have been written."""
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    inner = reason.args[0] if isinstance(error, requests.exceptions.SSLError) and reason is not None and reason.args else None
    return isinstance(reason, NewConnectionError) or isinstance(inner, ssl.SSLCertVerificationError)


def _cause(error: BaseException) -> str:
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return type(reason if isinstance(reason, Exception) else error).__name__


def _wait(state: tenacity.RetryCallState) -> float:
    """The vendor's wish if it has one, else a growing pause."""
    again = state.outcome.exception() if state.outcome else None
    wish_s = getattr(getattr(again, "error", None), "after_s", None)
    return float(_pause(state) if wish_s is None else wish_s)
