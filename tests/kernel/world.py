"""Two vendors in memory and the least engine that keeps the kernel's contract: observe, match, plan, commit, push, settle.

The vendors are the truth; checks ask them, and the log, never the engine. A vendor may normalise what it is told (`normal`). A push can go
unanswered (`unanswered`): applied, but not settled.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from kernel_modules import Kernel

FAR = {"crm": "marketing", "marketing": "crm"}
SIDES = ("crm", "marketing")


@dataclass
class Shown:
    """One record as its vendor holds it."""

    fields: dict[str, Any]
    liveness: str = "live"
    modified_us: int = 0
    proof: Any = None


@dataclass
class Kept:
    """One contact as the engine keeps it."""

    state: str = "new"
    refs: dict[str, str] = field(default_factory=dict)
    shadows: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    view: dict[str, Any] = field(default_factory=dict)
    agreed_us: dict[str, int] = field(default_factory=dict)
    losers: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass
class World:
    k: Kernel
    mapping: Any
    normal: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    can_restore: bool = True
    rng: random.Random = field(default_factory=lambda: random.Random(0))
    vendors: dict[str, dict[str, Shown]] = field(default_factory=lambda: {"crm": {}, "marketing": {}})
    contacts: dict[int, Kept] = field(default_factory=dict)
    log: list[Any] = field(default_factory=list)
    holds: dict[int, tuple[Any, ...]] = field(default_factory=dict)
    pushed: list[tuple[Any, dict[str, Any]]] = field(default_factory=list)
    clock_us: int = 1_000_000
    created: int = 0
    into: dict[tuple[str, str], str] = field(default_factory=dict)

    def clone(self) -> World:
        """A world that goes its own way from here."""
        vendors = {side: {ref: replace(r, fields=dict(r.fields)) for ref, r in records.items()} for side, records in self.vendors.items()}
        contacts = {
            contact_id: replace(
                kept,
                refs=dict(kept.refs),
                shadows=dict(kept.shadows),
                view=dict(kept.view),
                agreed_us=dict(kept.agreed_us),
                losers=dict(kept.losers),
            )
            for contact_id, kept in self.contacts.items()
        }
        return replace(
            self,
            vendors=vendors,
            contacts=contacts,
            log=list(self.log),
            holds=dict(self.holds),
            pushed=list(self.pushed),
            into=dict(self.into),
        )

    # ---- what people do

    def tick(self) -> int:
        self.clock_us += 1_000_000
        return self.clock_us

    def add(self, side: str, ref: str, **fields: Any) -> None:
        self.vendors[side][ref] = Shown(dict(fields), "live", self.tick())

    def edit(self, side: str, ref: str, proof: bool = False, **fields: Any) -> None:
        record = self.vendors[side][ref]
        record.fields.update(fields)
        record.modified_us = self.tick()
        if proof:
            record.proof = self.k.records.Proof("form", record.modified_us)

    def set_liveness(self, side: str, ref: str, liveness: str) -> None:
        self.vendors[side][ref].liveness = liveness
        self.vendors[side][ref].modified_us = self.tick()

    def merge(self, side: str, loser: str, into: str) -> None:
        self.set_liveness(side, loser, "merged")
        self.into[side, loser] = into

    # ---- what the engine does

    def seen(self, side: str) -> dict[str, Shown]:
        """What the engine knows of a vendor's records: here, all of it, at once."""
        return self.vendors[side]

    def round(self, unanswered: frozenset[str] = frozenset(), refused: str = "") -> int:
        """One round; the number of writes that it decided on. What goes to the side that `refused` is never made."""
        self._absorb()
        self._match()
        plans = [(contact_id, self.plan(contact_id)) for contact_id in sorted(self.contacts)]
        self.rng.shuffle(plans)
        work = [(contact_id, plan, write) for contact_id, plan in plans for write in self.commit(contact_id, plan)]
        self.rng.shuffle(work)
        for contact_id, plan, write in work:
            if write.side != refused:
                self._push(contact_id, plan, write, write.side not in unanswered)
        return len(work)

    def until_quiet(self, cap: int = 20) -> int:
        """Rounds with writes until one has none; fails at the cap."""
        for done in range(cap):
            if self.round() == 0:
                return done
        raise AssertionError(f"still writing after {cap} rounds: {self.pushed[-2:]}")

    def contact(self, contact_id: int) -> Any:
        kept = self.contacts[contact_id]
        sides = {side: self._state(side, ref, kept.shadows.get(side)) for side, ref in kept.refs.items()}
        return self.k.plan.Contact(contact_id, sides, kept.state, dict(kept.view), dict(kept.agreed_us), self._losers(kept))

    def _losers(self, kept: Kept) -> dict[str, tuple[Any, ...]]:
        return {side: tuple(self._state(side, ref, None) for ref in refs) for side, refs in kept.losers.items()}

    def _state(self, side: str, ref: str, shadow: Any) -> Any:
        shown = self.seen(side)[ref]
        return self.k.plan.SideState(ref, dict(shown.fields), shadow, shown.liveness, shown.modified_us, None, shown.proof)

    def plan(self, contact_id: int) -> Any:
        traits = {side: self.k.planner.Traits("record", can_restore=self.can_restore) for side in SIDES}
        plan = self.k.planner.plan_contact(self.mapping, self.contact(contact_id), traits)
        self.holds[contact_id] = plan.holds
        return plan

    def commit(self, contact_id: int, plan: Any) -> tuple[Any, ...]:
        kept = self.contacts[contact_id]
        kept.state, kept.view = plan.state, dict(plan.view)
        kept.agreed_us.update(plan.agreed_us)
        kept.shadows.update({side: dict(shadow) for side, shadow in plan.shadows.items()})
        self.log.extend(plan.entries)
        return tuple(plan.writes)

    def _absorb(self) -> None:
        """Contacts whose record was merged away follow it: the survivor takes what they leave on the far side."""
        owners = {(side, ref): contact_id for contact_id, kept in self.contacts.items() for side, ref in kept.refs.items()}
        for (side, ref), into in self.into.items():
            lost, kept = self.contacts[owners[side, ref]], self.contacts[owners[side, into]]
            if lost.state == "merged" or lost is kept:
                continue
            lost.state = "merged"
            self.log.append(self.k.log.Entry("merge", owners[side, ref], side=side, new=into))
            far = FAR[side]
            if far in lost.refs:
                kept.losers[far] = (*kept.losers.get(far, ()), lost.refs[far])

    def _match(self) -> None:
        linked = {(side, ref): contact_id for contact_id, kept in self.contacts.items() for side, ref in kept.refs.items()}
        groups: dict[str, list[Any]] = {}
        for side in SIDES:
            for ref, record in self.seen(side).items():
                key = self.k.identity.address_key(record.fields.get("email"))
                if record.liveness == "live" and key is not None:
                    contact_id = linked.get((side, ref))
                    partner = contact_id is not None and self._partner(contact_id, side)
                    groups.setdefault(key, []).append(self.k.identity.Candidate(side, ref, contact_id, partner))
        for group in groups.values():
            self._pair(self.k.identity.match(tuple(group)), group)

    def _partner(self, contact_id: int, side: str) -> bool:
        ref = self.contacts[contact_id].refs.get(FAR[side])
        return ref is not None and self.seen(FAR[side])[ref].liveness == "live"

    def _pair(self, answer: Any, group: list[Any]) -> None:
        if isinstance(answer, self.k.identity.Paired) and answer.contact_id is None:
            self.contacts[max(self.contacts, default=0) + 1] = Kept(refs={"crm": answer.crm_ref, "marketing": answer.marketing_ref})
        elif isinstance(answer, self.k.identity.Paired):
            kept = self.contacts[answer.contact_id]
            for side, ref in (("crm", answer.crm_ref), ("marketing", answer.marketing_ref)):
                if kept.refs.get(side) != ref:
                    kept.refs[side], kept.shadows[side], kept.state = ref, None, "active"
                    self.log.append(self.k.log.Entry("rebind", answer.contact_id, side=side, new=ref))
        elif answer is None:
            for lone in group:
                if lone.contact_id is None:
                    self.contacts[max(self.contacts, default=0) + 1] = Kept(refs={lone.side: lone.ref})

    def _push(self, contact_id: int, plan: Any, write: Any, answered: bool) -> None:
        record = self.vendors[write.side].get(write.ref)
        if record is not None and any(record.fields.get(name) != shown for name, shown in write.expect.items()):
            return
        self.pushed.append((write, dict(record.fields) if record else {}))
        ref = self._apply(write)
        if answered:
            self._settle(contact_id, write, ref)

    def _apply(self, write: Any) -> str:
        if write.kind == "create":
            self.created += 1
            ref = f"{write.side}-{self.created}"
            blank = dict.fromkeys(self.mapping.sides[write.side].native)
            self.vendors[write.side][ref] = Shown(blank | {"consent": self._birth(write)}, "live")
        else:
            ref = write.ref
        record = self.vendors[write.side][ref]
        normal = self.normal.get(write.side, lambda value: value)
        record.fields.update(
            {name: normal(value) if name != "consent" else value for name, value in {**write.fields, **write.consent}.items()}
        )
        record.liveness = {"archive": "archived", "restore": "live"}.get(write.kind, record.liveness)
        record.modified_us = self.tick()
        return ref

    @staticmethod
    def _birth(write: Any) -> Any:
        """A vendor that is not told subscribes: that is why a record must be born with its consent."""
        return write.consent.get("consent", "sub" if write.side == "marketing" else "no")

    def _settle(self, contact_id: int, write: Any, ref: str) -> None:
        kept, shown = self.contacts[contact_id], self.vendors[write.side][ref].fields
        if write.kind == "create":
            kept.refs[write.side] = ref
            self.log.append(self.k.log.Entry("receipt", new={"results": [], "refs": [[contact_id, write.side, ref]]}))
        names = shown if write.kind == "create" else () if write.kind == "restore" else (*write.fields, *write.consent)
        shadow = dict(kept.shadows.get(write.side) or {})
        kept.shadows[write.side] = {**shadow, **{name: shown[name] for name in names}}
        self._confirm(kept, self._both(kept, write) if write.untold else write)

    def _both(self, kept: Kept, write: Any) -> Any:
        """A set that is written on both sides: its bases are what the answers show when both have come. What is left to confirm."""
        far = FAR[write.side]
        if any(kept.shadows[far].get(name) != base for name, base in write.untold[far].items()):
            kept.shadows[write.side].update(write.untold[write.side])
            return write
        kept.shadows[far].update({name: self.seen(far)[kept.refs[far]].fields[name] for name in write.untold[far]})
        return replace(write, confirms=tuple(name for name in write.confirms if name not in write.untold[far]))

    def _confirm(self, kept: Kept, write: Any) -> None:
        """What the other side showed becomes its base."""
        far = FAR[write.side]
        if write.confirms:
            seen = self.seen(far)[kept.refs[far]].fields
            names = seen if write.confirms == self.k.plan.ALL_SHOWN else write.confirms
            showed = write.shown or seen
            kept.shadows[far] = {**(kept.shadows.get(far) or {}), **{name: showed[name] for name in names if name in showed}}
