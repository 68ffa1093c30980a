"""A world whose polls may show a change one round late, whose vendors refuse a second record with an address, and whose rounds may die.

It keeps to the engine's contract where `World` cuts it short: what is known of a record is the newest of what a poll and an echo have
shown; writes go out in the order of the outbox, each looked at again; after a crash the outbox is finished first. Checks that can be made
at the moment of a write are made there: consent is never widened, nobody deleted comes back, nobody is made twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from world import FAR, SIDES, Kept, Shown, World

RESTRICTION = {"in": 0, "none": 0, "asked": 1, "bounced": 2, "out": 3}
"""How little may be sent under each word for consent. Silence permits what a vendor's default permits, so that it counts as the widest."""
ALL = 1_000


class Row(NamedTuple):
    """One write in the outbox; `sending`: it may have reached the vendor."""

    contact_id: int
    write: Any
    sending: bool = False

    @property
    def batch(self) -> tuple[bool, int]:
        """Consent first, then everything else; the CRM before marketing."""
        return self.write.kind != "consent", SIDES.index(self.write.side)


def _copies(records: dict[str, Shown]) -> dict[str, Shown]:
    return {ref: replace(record, fields=dict(record.fields)) for ref, record in records.items()}


def _differs(one: Shown, two: Shown) -> bool:
    """Else there is nothing to learn: who took an edit back before anybody saw it has left no time either."""
    return (one.fields, one.liveness, one.proof) != (two.fields, two.liveness, two.proof)


@dataclass
class LateWorld(World):
    known: dict[str, dict[str, Shown]] = field(default_factory=lambda: {side: {} for side in SIDES})
    polled: dict[str, dict[str, Shown]] = field(default_factory=lambda: {side: {} for side in SIDES})
    """Each side as it truly was at its last poll: the least that the next one shows."""
    outbox: list[Row] = field(default_factory=list)
    person: dict[tuple[str, str], str] = field(default_factory=dict)
    made: tuple[tuple[str, str], ...] = ()
    """(side, person) of every record that the engine made."""
    moved: set[tuple[str, str]] = field(default_factory=set)
    """Records that an answer showed otherwise than they were decided on, and not by our own write: their base waits for the next round."""
    heard: set[tuple[str, str]] = field(default_factory=set)
    """Records that were merged away, or whose contact was, and whose last words a contact with both sides has taken in."""
    deleted: frozenset[str] = frozenset()
    """People whom somebody deleted, and nobody brought back."""

    def clone(self) -> LateWorld:
        copy = super().clone()
        assert isinstance(copy, LateWorld)
        return replace(
            copy,
            known={side: dict(records) for side, records in self.known.items()},
            polled={side: dict(records) for side, records in self.polled.items()},
            outbox=list(self.outbox),
            moved=set(self.moved),
            heard=set(self.heard),
            person=dict(self.person),
        )

    # ---- what people do

    def add_person(self, side: str, ref: str, person: str, **fields: Any) -> None:
        self.person[side, ref] = person
        self.add(side, ref, email=f"p{person}@people.example", **fields)

    def live_at(self, side: str, address: Any) -> list[str]:
        """The live records with this address, oldest first."""
        return [ref for ref, r in self.vendors[side].items() if r.liveness == "live" and r.fields["email"] == address]

    # ---- what the engine does

    def seen(self, side: str) -> dict[str, Shown]:
        return self.known[side]

    def round(self, unanswered: frozenset[str] = frozenset(), late: frozenset[str] = frozenset(), dies_at: int = ALL) -> int:
        """One round, the polls of `late` sides showing nothing newer than what was so at the poll before. The number of writes sent.

        `dies_at`: the program dies as soon as so many writes have reached a vendor, none of their batch answered; at 0, with the first
        batch about to be sent; below zero, before anything is committed.
        """
        sent = self._send(ALL)
        for side in SIDES:
            self._poll(side, side in late)
        self._absorb()
        self._match()
        if dies_at < 0:
            return sent
        self.moved.clear()
        plans = [(contact_id, self.plan(contact_id)) for contact_id in sorted(self.contacts)]
        self.outbox = [Row(contact_id, write) for contact_id, plan in plans for write in self.commit(contact_id, plan)]
        self.outbox.sort(key=lambda row: (row.batch, row.write.kind != "create", row.write.kind))
        return sent + self._send(dies_at)

    def _poll(self, side: str, late: bool) -> None:
        shown, now = self.polled[side], _copies(self.vendors[side])
        for ref, record in (shown if late else now).items():
            before = self.known[side].get(ref)
            if before is None:
                if record.liveness == "live":  # one that is dead at first sight is nobody's business
                    self.known[side][ref] = record
            elif record.modified_us > before.modified_us and _differs(record, before):
                self.known[side][ref] = record
            elif record.modified_us <= before.modified_us and record.liveness != before.liveness:
                self.known[side][ref] = now[ref]  # a list that says otherwise of a life, and not of a later time: it is looked up
        self.polled[side] = now

    def _match(self) -> None:
        """What was never committed was never linked."""
        self.contacts = {contact_id: kept for contact_id, kept in self.contacts.items() if kept.state != "new"}
        super()._match()

    def _partner(self, contact_id: int, side: str) -> bool:
        """A contact that was merged away takes nobody in any more."""
        return self.contacts[contact_id].state == "merged" or super()._partner(contact_id, side)

    def _absorb(self) -> None:
        """A survivor without a contact takes the loser's over; a loser that never had one is still heard."""
        for (side, ref), into in self.into.items():
            known = self.known[side]
            if ref in known and known[ref].liveness == "merged":
                if into not in known:  # a survivor that no poll has shown is looked up
                    known[into] = _copies(self.vendors[side])[into]
                self._absorbed(side, ref, into)

    def _absorbed(self, side: str, ref: str, into: str) -> None:
        open_ = [(contact_id, one) for contact_id, one in self.contacts.items() if one.state not in ("new", "merged")]
        owners = {one.refs.get(side): (contact_id, one) for contact_id, one in open_}
        (lost_id, lost), (kept_id, kept) = owners.get(ref, (0, None)), owners.get(into, (0, None))
        if kept is not None and lost is not None and self._left_alone(kept, lost, FAR[side]):
            self.log.append(self.k.log.Entry("rebind", kept_id, side=side, old=into))
            self.log.append(self.k.log.Entry("rebind", lost_id, side=side, new=into))
            lost.refs[side], lost.shadows[side] = kept.refs.pop(side), None
            lost_id, lost, kept = kept_id, kept, lost
        if kept is None and lost is not None:
            lost.refs[side] = into
            self.log.append(self.k.log.Entry("rebind", lost_id, side=side, new=into))
            kept, lost = lost, None
        if kept is None:
            return
        self._hear(kept, side, ref)
        if lost is not None:
            lost.state = "merged"
            self.log.append(self.k.log.Entry("merge", lost_id, side=side, new=into))
            if FAR[side] in lost.refs:
                self._hear(kept, FAR[side], lost.refs[FAR[side]])

    def _left_alone(self, kept: Kept, lost: Kept, far: str) -> bool:
        """A survivor that has nobody across joins the contact that has somebody. The outbox is empty by then: nobody is on the way."""
        own, theirs = (self.known[far][ref].liveness if (ref := one.refs.get(far)) else "" for one in (kept, lost))
        return own not in ("live", "merged") and theirs == "live"

    def commit(self, contact_id: int, plan: Any) -> tuple[Any, ...]:
        kept = self.contacts[contact_id]
        if len(kept.refs) == 2:
            self.heard |= {(side, lost.ref) for side, losers in self._losers(kept).items() for lost in losers}
        return super().commit(contact_id, plan)

    def _losers(self, kept: Kept) -> dict[str, tuple[Any, ...]]:
        """Those that live, and those that nobody has heard; of a contact that is new, what was merged into its records before."""
        refs = {side: [*kept.losers.get(side, ())] for side in SIDES}
        owned = {(side, ref) for one in self.contacts.values() for side, ref in one.refs.items()}
        for (side, ref), into in self.into.items():
            lost = self.known[side].get(ref)
            stray = lost is not None and lost.liveness == "merged" and (side, ref) not in owned
            if stray and kept.refs.get(side) == into and ref not in refs[side]:
                refs[side].append(ref)
        losers = {side: tuple(self._state(side, ref, None) for ref in theirs) for side, theirs in refs.items()}
        return {
            side: tuple(lost for lost in theirs if lost.liveness == "live" or (side, lost.ref) not in self.heard)
            for side, theirs in losers.items()
        }

    @staticmethod
    def _hear(kept: Kept, side: str, ref: str) -> None:
        if ref not in kept.losers.get(side, ()):
            kept.losers[side] = (*kept.losers.get(side, ()), ref)

    # ---- writing

    @staticmethod
    def _birth(write: Any) -> Any:
        return write.consent.get("consent", "in")

    def _send(self, dies_at: int) -> int:
        """Batch by batch; a batch is looked at again, sent and settled, and forgotten whole if the program dies in it."""
        applied = 0
        while self.outbox:
            batch = self.outbox[0].batch
            rows = [row for row in self.outbox if row.batch == batch]
            answers: list[Callable[[], None]] = []
            for row in rows:
                if applied < dies_at:
                    applied += self._carry_out(row, answers)
                if applied == dies_at:
                    self.outbox = [one._replace(sending=one.sending or one.batch == batch) for one in self.outbox]
                    return applied
            for answer in answers:
                answer()
            self.outbox = self.outbox[len(rows) :]
        return applied

    def _carry_out(self, row: Row, answers: list[Callable[[], None]]) -> bool:
        """Whether the write reached the vendor; what its answer does is kept for later."""
        write, records = row.write, self.vendors[row.write.side]
        if write.kind == "create":
            found = self.live_at(write.side, write.fields["email"])
            there = (found[-1] if row.sending else found[0]) if found else None
        else:
            there = write.ref if not self._as_expected(write, records[write.ref]) else None
        if write.kind == "restore" and there is None and self.live_at(write.side, records[write.ref].fields["email"]):
            answers.append(lambda: self._refused(row))
            return False
        if there is None:
            ref = self._judged(write)
            answers.append(lambda: self._answered(row, ref))
        elif row.sending if write.kind == "create" else self._already(write, records[write.ref]):
            answers.append(lambda: self._answered(row, there, found=True))
        else:
            answers.append(lambda: self._moved(row, there))
        return there is None

    def _moved(self, row: Row, there: str) -> None:
        """An archive that was not carried out leaves its contact alive; that of a record which was merged away is not its contact's own."""
        self._learn(row.write.side, there)
        kept = self.contacts[row.contact_id]
        if row.write.kind == "archive" and kept.state == "deleted" and kept.refs.get(row.write.side) == there:
            kept.state = "active"
            self.log.append(self.k.log.Entry("revive", row.contact_id, side=row.write.side))

    def _refused(self, row: Row) -> None:
        """Somebody else has the address by now: who was not brought back is not."""
        self.contacts[row.contact_id].state = "deleted"
        self.log.append(self.k.log.Entry("archive", row.contact_id, side=row.write.side))

    def _answered(self, row: Row, ref: str, found: bool = False) -> None:
        self._learn(row.write.side, ref, {**row.write.fields, **row.write.consent})
        if row.write.kind == "create":
            self._born(row, ref, found)
        else:
            self._settle(row.contact_id, row.write, ref)

    def _born(self, row: Row, ref: str, found: bool) -> None:
        """The base of a new record is what was sent and is shown. One that was only found later may have been edited since."""
        write, kept, shown = row.write, self.contacts[row.contact_id], self.known[row.write.side][ref].fields
        kept.refs[write.side] = ref
        self.log.append(self.k.log.Entry("receipt", new={"results": [], "refs": [[row.contact_id, write.side, ref]]}))
        sent = {**write.fields, **write.consent}
        doubtful = sent if found else write.consent
        kept.shadows[write.side] = {name: shown[name] for name in sent if name not in doubtful or shown[name] == sent[name]}
        self._confirm(kept, write)

    def _learn(self, side: str, ref: str, sent: Iterable[str] = ()) -> None:
        before, shown = self.known[side].get(ref), self.vendors[side][ref]
        self.known[side][ref] = replace(shown, fields=dict(shown.fields))
        if before is not None and any(before.fields[name] != value for name, value in shown.fields.items() if name not in sent):
            self.moved.add((side, ref))

    def _confirm(self, kept: Kept, write: Any) -> None:
        far = FAR[write.side]
        if write.shown or (far, kept.refs.get(far, "")) not in self.moved:
            super()._confirm(kept, write)

    def _as_expected(self, write: Any, record: Shown) -> bool:
        if write.kind == "restore":
            return record.liveness != "live"
        return record.liveness == "live" and all(record.fields.get(name) == value for name, value in write.expect.items())

    def _already(self, write: Any, record: Shown) -> bool:
        if write.kind in ("archive", "restore"):
            return (record.liveness == "live") is (write.kind == "restore")
        wanted = {**write.fields, **write.consent}
        return record.liveness == "live" and all(record.fields.get(name) == value for name, value in wanted.items())

    def _judged(self, write: Any) -> str:
        """The write is applied; what may never happen is noticed here."""
        before = self.vendors[write.side][write.ref].fields.get("consent") if write.ref else None
        self.pushed.append((write, {"consent": before}))
        ref = self._apply(write)
        if write.kind == "create":
            self.person[write.side, ref] = write.fields["email"][1]
            self.made = (*self.made, (write.side, self.person[write.side, ref]))
        person, after = self.person[write.side, ref], self.vendors[write.side][ref].fields["consent"]
        assert write.kind not in ("create", "restore") or person not in self.deleted, f"I4: {write.kind} of {person}, who was deleted"
        by_hand = [ref for (side, ref), who in self.person.items() if side != write.side and who == person and "-" not in ref]
        assert self.made.count((write.side, person)) <= len(by_hand), f"I9: {self.made} of {by_hand}"
        assert before is None or RESTRICTION[after] >= RESTRICTION[before], f"I11: {write.side} {ref} from {before} to {after}"
        return ref
