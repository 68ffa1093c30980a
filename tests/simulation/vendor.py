"""One simulated vendor: its true records, every write that changed them, and an index that learns of changes late.

A record's versions are immutable; its history is the list of them, each with the time from which the index shows it. People act through
`edit`, `create`, `remove`, `merge` and so on; the engine through `port`. The judge reads `records` and `effects`, and nothing else.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from syncline.records import Liveness, Proof, Side
from tests.simulation.habits import HABITS
from tests.simulation.profiles import FIELDS, Profile
from tests.simulation.words import address_key, members


@dataclass(frozen=True, slots=True)
class Rec:
    """One version of a record. `who`: the person it is of, as only the simulation knows."""

    ref: str
    who: int
    fields: Mapping[str, Any]
    life: Liveness = "live"
    stamp_us: int = 0
    into: str | None = None
    absorbed: tuple[str, ...] = ()
    proof: Proof | None = None
    times: Mapping[str, int] = field(default_factory=dict)


class Effect(NamedTuple):
    """One write that changed the truth. `actor`: people, vendor, or the run's own change key."""

    at_us: int
    actor: str
    op: str
    ref: str
    who: int
    field: str
    before: Any
    after: Any
    shown_us: int

    @property
    def engine(self) -> bool:
        return self.actor not in ("people", "vendor")


class Vendor:
    """`now`: the world's clock; `offset_us`: how far this vendor's own clock is ahead of it."""

    def __init__(self, side: Side, profile: Profile, habits: Mapping[str, str], offset_us: int, now: Callable[[], int], seed: str) -> None:
        self.side, self.profile, self.habits, self.offset_us, self.now = side, profile, habits, offset_us, now
        self.rng = random.Random(f"{seed}:{side}")
        self.records: dict[str, list[tuple[int, Rec]]] = {}
        self.effects: list[Effect] = []
        self.born: dict[str, str] = {}
        """Change key → record, where a repeated create is recognised by it."""
        self.first_shown: dict[str, int] = {}
        """Record → when we were first shown it."""
        self.looks: dict[str, list[tuple[int, Rec, frozenset[str]]]] = {}
        """Record → when we were shown which version of it, without which fields."""
        self.last_shown: dict[str, Rec] = {}
        """Record → the version of it that we were shown last."""
        self.removed: set[str] = set()
        self.ever: dict[str, set[tuple[str, str]]] = {}
        """Field → (record, value): all that it ever truly was."""
        self.backup: dict[str, Rec] = {}
        self.polls: list[int] = [0]
        """When its index was asked for changes."""
        self.poisoned: int | None = None
        """A person of whom this vendor takes no write at all."""
        self.blind: dict[str, frozenset[str]] = {}
        """Record → the fields that we had no permission to see when it was last shown to us."""
        self.buried_blind: dict[str, frozenset[str]] = {}
        """The same, of records that we archived, as it was then."""
        self.lies: dict[str, list[int]] = defaultdict(list)
        """Record → when older copies of it were shown."""
        self.left_out: set[str] = set()
        """Records that a listing has left out, and that were not shown since."""
        self.silent: dict[str, list[int]] = defaultdict(list)
        """Record → when writes to it were answered without showing it."""
        self.unheard: dict[str, list[int]] = defaultdict(list)
        """Record → when answers to writes of it were lost, these among them."""
        self.proofs: list[tuple[int, int]] = []
        """(person, when) of every proof that somebody agreed."""
        self._number = 0

    # ---- what is true

    def clock(self) -> int:
        """The vendor's own time."""
        return self.now() + self.offset_us

    def __iter__(self) -> Iterator[Rec]:
        return (versions[-1][1] for versions in self.records.values())

    def get(self, ref: str | None) -> Rec | None:
        versions = self.records.get(ref or "")
        return versions[-1][1] if versions else None

    def live(self) -> list[Rec]:
        return [rec for rec in self if rec.life == "live"]

    def of(self, who: int, *lives: str) -> list[Rec]:
        """The person's records, live ones unless said otherwise."""
        return [rec for rec in self if rec.who == who and rec.life in (lives or ("live",))]

    def at(self, address: Any, *lives: str) -> Rec | None:
        """The live record with this address."""
        key = address_key(address)
        return next((rec for rec in self if rec.life in (lives or ("live",)) and address_key(rec.fields.get("email")) == key), None)

    def indexed(self, ref: str, at_us: int | None = None) -> Rec | None:
        """What the index knows of a record by now, or knew at that time."""
        known_us = self.now() if at_us is None else at_us
        return next((rec for shown_us, rec in reversed(self.records.get(ref, ())) if shown_us <= known_us), None)

    @property
    def polled_us(self) -> int:
        """When its index was last asked for changes."""
        return self.polls[-1]

    def dead_at(self, ref: str, at_us: int) -> bool:
        """Whether the index had it as dead at that time: a list that leaves out the dead showed nothing of it then."""
        known = self.indexed(ref, at_us)
        return known is not None and known.life != "live"

    def older(self, ref: str) -> Rec | None:
        """What an older copy shows: the version before the newest, if it is of another time."""
        versions = self.records[ref]
        found = next((rec for _, rec in reversed(versions) if rec.stamp_us < versions[-1][1].stamp_us), None)
        return found if found is not None and found.life == versions[-1][1].life else None

    # ---- writing

    def normal(self, name: str, value: Any) -> Any:
        """What becomes of a value here."""
        if name == "tags":
            value = members(value) if self.profile.lists else ";".join(members(value))
        if isinstance(value, bool) and isinstance(self.profile.words["out"], str):
            value = str(value).lower()
        if value in ("", []):
            return [] if name == "tags" and self.profile.lists else None
        return HABITS[self.habits.get(name, "none")](value)

    def blank(self) -> dict[str, Any]:
        return {name: [] if name == "tags" and self.profile.lists else None for name in FIELDS}

    def new_ref(self) -> str:
        self._number += 1
        return f"{self.profile.name}-{self._number:05d}"

    def put(self, old: Rec | None, new: Rec, actor: str, op: str, names: tuple[str, ...] = ()) -> Rec:
        """The new version of a record, with its stamp, its time in the index, and its effects: one a changed field, or one for all."""
        unit = self.profile.resolution_us
        stamp = self.clock() // unit * unit
        if old is not None and unit < 1_000_000:
            stamp = max(stamp, old.stamp_us + unit)
        times = {**new.times, **dict.fromkeys(names, stamp)} if self.profile.field_times else {}
        new = replace(new, stamp_us=stamp, times=times)
        for name in names or new.fields:
            self.ever.setdefault(name, set()).add((new.ref, repr(new.fields[name])))
        lag_us = round(self.rng.random() ** 3 * self.profile.lag_s * 1_000_000)
        versions = self.records.setdefault(new.ref, [])
        shown_us = max(self.now() + lag_us, versions[-1][0] if versions else 0)
        versions.append((shown_us, new))
        if names:
            for name in names:
                before = old.fields.get(name) if old else None
                self.effects.append(Effect(self.now(), actor, op, new.ref, new.who, name, before, new.fields[name], shown_us))
        else:
            before = old.life if old else None
            self.effects.append(Effect(self.now(), actor, op, new.ref, new.who, "*", before, dict(new.fields), shown_us))
        return new

    def edit(self, rec: Rec, changes: Mapping[str, Any], actor: str, op: str = "edit", proof: Proof | None = None) -> Rec:
        """Values as they come in are made normal; what then is as it was is no change."""
        values = {name: self.normal(name, value) for name, value in changes.items()}
        names = tuple(name for name, value in values.items() if value != rec.fields.get(name))
        if not names and proof is None:
            return rec
        return self.put(rec, replace(rec, fields={**rec.fields, **values}, proof=proof or rec.proof), actor, op, names or ("consent",))

    def create(self, who: int, values: Mapping[str, Any], actor: str, proof: Proof | None = None) -> Rec:
        consent = {"consent": self.profile.words["silent"]}
        fields = {**self.blank(), **consent, **{name: self.normal(name, value) for name, value in values.items()}}
        times = dict.fromkeys(values, self.clock())
        return self.put(None, Rec(self.new_ref(), who, fields, proof=proof, times=times), actor, "create")

    def live_on(self, rec: Rec, life: Liveness, actor: str, op: str, **changes: Any) -> Rec:
        """Archive, undelete, merge away: the record's life changes, its fields stay."""
        return self.put(rec, replace(rec, life=life, **changes), actor, op)

    def remove(self, rec: Rec, actor: str) -> None:
        """For good: nothing is left of it."""
        del self.records[rec.ref]
        self.removed.add(rec.ref)
        self.effects.append(Effect(self.now(), actor, "remove", rec.ref, rec.who, "*", rec.life, None, self.now()))

    def merge(self, winner: Rec, loser: Rec) -> None:
        """The vendor makes one of two; the winner's values stand, and fill up from the loser's."""
        filled = {name: value for name, value in loser.fields.items() if winner.fields.get(name) in (None, "", []) and value}
        self.live_on(loser, "merged", "vendor", "merge", into=winner.ref)
        absorbed = (*winner.absorbed, loser.ref, *loser.absorbed) if self.profile.capabilities.merges == "absorbed" else ()
        names = tuple(filled) or ("last",)
        self.put(winner, replace(winner, fields={**winner.fields, **filled}, absorbed=absorbed), "vendor", "fill", names)

    def convert(self, rec: Rec) -> None:
        """A record goes on under another id: the old one points to it, or the new one names it."""
        pointer = self.profile.capabilities.merges == "pointer"
        absorbed = () if pointer else (*rec.absorbed, rec.ref)
        new = self.put(None, replace(rec, ref=self.new_ref(), absorbed=absorbed), "vendor", "convert")
        self.live_on(rec, "merged", "vendor", "merge", into=new.ref)

    # ---- backups

    def back_up(self) -> None:
        self.backup = {rec.ref: rec for rec in self}

    def merged_since_backup(self) -> bool:
        """No vendor undoes a merge, nor do we promise anything then."""
        now = {rec.ref for rec in self if rec.life == "merged"}
        return bool(now - {rec.ref for rec in self.backup.values() if rec.life == "merged"})

    def restore_backup(self) -> None:
        """Values, ids and stamps go back; what was made since is as if it had never been."""
        now = {rec.ref: rec for rec in self}
        for ref, rec in {**self.backup, **now}.items():
            then = self.backup.get(ref)
            if then != now.get(ref):
                before = now[ref].life if ref in now else None
                self.effects.append(Effect(self.now(), "vendor", "restored", ref, rec.who, "*", before, then and then.life, self.now()))
        self.removed |= self.records.keys() - self.backup.keys()
        self.removed -= self.backup.keys()
        self.records = {ref: [(0, rec)] for ref, rec in self.backup.items()}
