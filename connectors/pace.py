"""Pacing: calls leave no faster than the published rate, less a reserve for others. Connectors and `http` may import it.

We wait before sending instead of learning by 429. A window of the last sends is kept rather than a bucket: a bucket that starts full lets
twice the rate through in its first window, which a vendor with a rolling window answers with 429.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `calls` in any `per_s` seconds, as published; we use `share` of it and leave the rest to the account's other users."""

    calls: int
    per_s: float
    share: float = 0.95

    @property
    def limit(self) -> int:
        """Our own calls in a window; never below one."""
        return max(1, int(self.calls * self.share))


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as the door sees it: `now` wall seconds, `ticks` seconds that never jump, `sleep`. Tests pass their own.

    The standard functions are looked up at each call, so that a test may also replace `time.sleep` alone.
    """

    now: Callable[[], float] = lambda: time.time()
    ticks: Callable[[], float] = lambda: time.monotonic()
    sleep: Callable[[float], None] = lambda seconds: time.sleep(seconds)


class Pace:
    """One rate shared by all threads. `wait()` books the next free place and sleeps until it comes; without need it returns at once."""

    def __init__(self, rate: Rate, clock: Clock) -> None:
        self._window_s = rate.per_s
        self._clock = clock
        self._sends: deque[float] = deque(maxlen=rate.limit)
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Returns when a call may leave."""
        now = self._clock.ticks()
        with self._lock:
            due = now
            if len(self._sends) == self._sends.maxlen:
                due = max(now, self._sends[0] + self._window_s)
            self._sends.append(due)
        if due > now:
            self._clock.sleep(due - now)
