"""What may go wrong on purpose: one-off faults on chosen calls, standing switches, and rolling rate windows."""

from collections import deque

import msgspec

KINDS = (
    "429", "500_before", "500_after", "timeout_before", "timeout_after", "html",
    "item_error", "empty", "drop_scope", "expire_token", "shuffle", "stale_page",
)  # fmt: skip


class Fault(msgspec.Struct, forbid_unknown_fields=True):
    """Strikes calls whose "METHOD /path-template" contains `on`: skips `after` of them, then hits `times`.

    `items` are the positions an `item_error` spoils; `status` is that of an `html` answer; `retry_after` goes in a 429's header.
    """

    on: str
    kind: str
    times: int = 1
    after: int = 0
    retry_after: int | None = None
    items: list[int] = msgspec.field(default_factory=lambda: [0])
    status: int = 403


class Rate(msgspec.Struct, forbid_unknown_fields=True):
    """Limits; a vendor reads those that apply to it. `connections` are simultaneous ones."""

    on: bool = True
    max: int = 190
    window_s: float = 10
    search_max: int = 5
    search_window_s: float = 1
    connections: int = 10


class Settings(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /_twin/faults`. Only what is given changes; `clear` first puts everything back as it was at the start."""

    clear: bool = False
    lag_s: float | None = None
    recalc_s: float | None = None
    latency_s: float | None = None
    hold_s: float | None = None
    item_errors: bool | None = None
    shuffle: bool | None = None
    scopes: list[str] | None = None
    rate: dict | bool | None = None
    faults: list[Fault] = []


class Faults:
    """The switches as they stand.

    `lag_s`: how late the search index is. `recalc_s`: how long after its creation a CRM contact's stamp moves again, with no
    visible change; 0 for never. `latency_s`: added to each answer. `hold_s`: how long a timed-out call hangs before its
    connection is dropped. `item_errors`: invalid values spoil their item, not the call. `shuffle`: batch results in another order.
    `scopes`: what the token may do, None for all.
    """

    def __init__(self, rate_on: bool = True) -> None:
        self.rate_on = rate_on
        self.reset()

    def reset(self) -> None:
        self.rate = Rate(on=self.rate_on)
        self.lag_s, self.recalc_s, self.latency_s, self.hold_s = 0.0, 0.0, 0.0, 0.2
        self.item_errors = self.shuffle = False
        self.scopes: list[str] | None = None
        self.pending: list[Fault] = []

    def set(self, body: dict) -> dict:
        """Apply a control body; a single fault may be given at the top level (`on`, `kind`, …). Raises ValueError."""
        body = {"faults": [body]} if "kind" in body else body
        wanted = msgspec.convert(body, Settings)
        if bad := [f.kind for f in wanted.faults if f.kind not in KINDS]:
            raise ValueError(f"unknown fault kind {bad[0]!r}; known: {', '.join(KINDS)}")
        if wanted.clear:
            self.reset()
        for name in ("lag_s", "recalc_s", "latency_s", "hold_s", "item_errors", "shuffle", "scopes"):
            if (value := getattr(wanted, name)) is not None:
                setattr(self, name, value)
        if wanted.rate is not None:
            change = {"on": wanted.rate} if isinstance(wanted.rate, bool) else {"on": True, **wanted.rate}
            self.rate = msgspec.convert({**msgspec.to_builtins(self.rate), **change}, Rate)
        self.pending += wanted.faults
        return self.view()

    def view(self) -> dict:
        return msgspec.to_builtins(vars(self))

    def take(self, call: str) -> Fault | None:
        """The fault that strikes this call, if any; counts it."""
        for fault in self.pending:
            if fault.on not in call:
                continue
            if fault.after > 0:
                fault.after -= 1
                continue
            fault.times -= 1
            if fault.times <= 0:
                self.pending.remove(fault)
            return fault
        return None


class Window:
    """A rolling rate window. `admit` says whether one more call fits at `now_ms`; a refused call does not count."""

    def __init__(self) -> None:
        self.stamps: deque[int] = deque()

    def admit(self, now_ms: int, most: int, window_s: float) -> bool:
        if self.stamps and self.stamps[-1] > now_ms:  # the clock was set back
            self.stamps.clear()
        while self.stamps and self.stamps[0] <= now_ms - window_s * 1000:
            self.stamps.popleft()
        if len(self.stamps) >= most:
            return False
        self.stamps.append(now_ms)
        return True
