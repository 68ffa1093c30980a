"""What an HTTP answer means when the platform has no special word for it. `http` and connectors may import it. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

from syncline.errors import AuthFailed, Forbidden, RateLimited, Rejected, Stale, SyncError, Unreachable, Vanished

DETAIL_CHARS = 500


class Reply:
    """One answer. `data`: the decoded JSON, None if there was none. `asked_us`: the vendor's own time when the call was made."""

    __slots__ = ("asked_us", "body", "data", "headers", "status")

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.data: Any = None
        self.asked_us = 0

    @property
    def nothing_done(self) -> bool:
        """The vendor says that it did nothing: too many calls, or closed for now with a time to come back."""
        return self.status == 429 or (self.status == 503 and "Retry-After" in self.headers)


@lru_cache(maxsize=16)
def epoch_us(http_date: str | None) -> int | None:
    """An HTTP date in microseconds since 1970, None if it is none. Cached: the header changes once a second, calls come faster."""
    try:
        return int(parsedate_to_datetime(http_date).timestamp()) * 1_000_000 if http_date else None
    except ValueError:
        return None


def is_json(reply: Reply) -> bool:
    """The vendor's own language, also as `application/problem+json`."""
    return "json" in reply.headers.get("Content-Type", "")


def retry_after_s(reply: Reply, now_s: float) -> float | None:
    """The wish of `Retry-After`: seconds, or a date by the vendor's own clock. None when it has none."""
    wish = reply.headers.get("Retry-After", "").strip()
    try:
        return max(0.0, float(wish)) if wish else None
    except ValueError:
        due_us, date_us = epoch_us(wish), epoch_us(reply.headers.get("Date"))
        now_us = date_us if date_us is not None else now_s * 1_000_000
        return None if due_us is None else max(0.0, (due_us - now_us) / 1_000_000)


def error_for(reply: Reply, where: str, now_s: float, hide: Callable[[str], str]) -> SyncError:
    """The common meaning of a status that is no success. The body goes into `detail` alone, which is never shown to the operator."""
    status = reply.status
    if status == 429 or reply.nothing_done:
        return RateLimited(f"{where}: asked to wait ({status})", after_s=retry_after_s(reply, now_s))
    if status >= 500 or status == 408 or status < 400:
        return Unreachable(f"{where}: answered {status}")
    plain = _PLAIN.get(status)
    if plain:
        return plain[0](f"{where}: {plain[1]} ({status})")
    return Rejected(f"{where}: refused ({status})", detail=hide(reply.body[:DETAIL_CHARS].decode("utf-8", "replace")))


_PLAIN: dict[int, tuple[type[SyncError], str]] = {
    401: (AuthFailed, "the credentials are not accepted"),
    403: (Forbidden, "the credentials lack a permission for this"),
    404: (Vanished, "not there"),
    410: (Vanished, "not there any more"),
    412: (Stale, "changed since we read it"),
}
