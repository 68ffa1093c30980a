"""The marketing twin's member, the sorted lists members are paged from, and the vendor's refusals."""

from bisect import bisect_left, insort
from collections.abc import Iterable

import msgspec

from .clock import to_ms, to_utc

STATUSES = ("subscribed", "unsubscribed", "cleaned", "pending", "transactional", "archived")
WRITABLE = STATUSES[:5]


class Refusal(Exception):
    """A rule of the vendor: `title` is its name for it, `status` the HTTP status."""

    def __init__(self, title: str, detail: str, status: int = 400, errors: list[dict] | None = None) -> None:
        super().__init__(detail)
        self.title, self.detail, self.status, self.errors = title, detail, status, errors or []


class Member(msgspec.Struct, frozen=True, gc=False):
    """One version of a member. A write makes a new one, so a backup or a stale page may keep the old.

    `by_person`: the unsubscribe was the person's own act. `was`: the status before archiving, or the refusal that a pending
    member has yet to take back. Times are epoch seconds, 0 for none.
    """

    seq: int
    email: str
    status: str
    fields: dict[str, str | int | float]
    tags: tuple[str, ...] = ()
    by_person: bool = False
    was: str = ""
    source: str = "API - Generic"
    rating: int = 2
    language: str = ""
    vip: bool = False
    email_type: str = "html"
    signup_s: int = 0
    opt_s: int = 0
    ip_signup: str = ""
    ip_opt: str = ""
    changed_s: int = 0

    @property
    def contact_id(self) -> str:
        return f"{self.seq * 2654435761 % 2**32:08x}{self.seq:024x}"

    @property
    def base(self) -> str:
        """The status that counts behind an archived or asked-again one."""
        return self.was or self.status

    @property
    def in_compliance(self) -> bool:
        return self.base == "cleaned" or (self.base == "unsubscribed" and self.by_person)


class Ordered:
    """Members of one status, by age and by (last change, age)."""

    def __init__(self, members: Iterable[Member] = ()) -> None:
        members = list(members)
        self.by_seq = sorted(m.seq for m in members)
        self.by_change = sorted((m.changed_s, m.seq) for m in members)

    def add(self, member: Member) -> None:
        insort(self.by_seq, member.seq)
        insort(self.by_change, (member.changed_s, member.seq))

    def drop(self, member: Member) -> None:
        del self.by_seq[bisect_left(self.by_seq, member.seq)]
        del self.by_change[bisect_left(self.by_change, (member.changed_s, member.seq))]


class Page:
    """A slice of a sorted list, read from either end."""

    def __init__(self, keys: list, low: int, high: int, down: bool) -> None:
        self.keys, self.low, self.total, self.down = keys, low, high - low, down

    def seqs(self, offset: int, count: int) -> list[int]:
        stop = max(0, self.total - offset)
        first, last = (max(0, stop - count), stop) if self.down else (min(offset, self.total), min(offset + count, self.total))
        keys = self.keys[self.low + first : self.low + last]
        keys = keys[::-1] if self.down else keys
        return [k[1] if isinstance(k, tuple) else k for k in keys]


def seconds(text: str) -> int:
    """Epoch seconds of an ISO instant. Raises ValueError."""
    return to_ms(text) // 1000


def shown(at_s: int) -> str:
    return to_utc(at_s * 1000).isoformat() if at_s else ""
