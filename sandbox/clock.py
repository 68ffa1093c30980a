"""The twin's own clock: real, shifted or frozen. Everything a twin stamps, limits or delays is measured on it."""

import time
from datetime import UTC, datetime

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_ms(text: str) -> int:
    """Epoch milliseconds of an ISO instant; a missing zone means UTC. Raises ValueError."""
    at = datetime.fromisoformat(text)
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return (at - EPOCH).days * 86_400_000 + (at - EPOCH).seconds * 1000 + (at - EPOCH).microseconds // 1000


def to_utc(ms: int) -> datetime:
    return datetime.fromtimestamp(ms // 1000, UTC).replace(microsecond=ms % 1000 * 1000)


class Clock:
    """`now_ms()` reads the time; `stamp_ms()` is the time of a write, and ticks when the clock is frozen."""

    def __init__(self, tick_ms: int = 0) -> None:
        self.reset(tick_ms)

    def reset(self, tick_ms: int) -> None:
        """Back to real time."""
        self.shift_ms = 0
        self.frozen_ms: int | None = None
        self.tick_ms = tick_ms

    def now_ms(self) -> int:
        if self.frozen_ms is not None:
            return self.frozen_ms
        return time.time_ns() // 1_000_000 + self.shift_ms

    def stamp_ms(self) -> int:
        """Frozen writes move the clock by `tick_ms` so that their order shows; 0 makes them share a stamp."""
        if self.frozen_ms is not None:
            self.frozen_ms += self.tick_ms
        return self.now_ms()

    def set(self, now: str | None = None, frozen: bool | None = None, advance_s: float = 0, tick_ms: int | None = None) -> dict:
        """Jump to `now` and/or move by `advance_s`, then freeze or run. Returns the clock as it stands."""
        at_ms = (to_ms(now) if now else self.now_ms()) + round(advance_s * 1000)
        frozen = self.frozen_ms is not None if frozen is None else frozen
        self.frozen_ms = at_ms if frozen else None
        self.shift_ms = at_ms - time.time_ns() // 1_000_000
        self.tick_ms = self.tick_ms if tick_ms is None else tick_ms
        return {"now": to_utc(self.now_ms()).isoformat(), "frozen": frozen, "tick_ms": self.tick_ms}
