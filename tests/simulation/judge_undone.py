"""I2: what somebody changed last is not undone by what was there before: an edit, a cleared field, a tag that was taken away.

A fault that carries every value the wrong way, or fills up again whatever people empty, makes both sides agree and logs what it does.
"""

from __future__ import annotations

from collections.abc import Iterator

from syncline.records import Side, other
from tests.simulation.case import Case
from tests.simulation.judge_values import TWO_WAY, marks, unseen, values_of
from tests.simulation.mapping import CLEARS
from tests.simulation.vendor import Effect
from tests.simulation.words import members
from tests.simulation.world import Violation, World

NO_BASE = {"mapping edited", "database restored", "vendor restored"}
"""After these nobody can tell what came last."""

UNDISPUTED = {"one_side", "agreed"}
"""Rules by which a value moves because only one side changed it."""


def nothing_undone(case: Case) -> Iterator[Violation]:
    if NO_BASE & case.world.injected.keys():
        return
    written = _written(case.world)
    for side, vendor in case.world.vendors.items():
        last: dict[tuple[str, str], Effect] = {}
        shown_us: dict[tuple[str, str], int] = {}
        for effect in vendor.effects:
            key = (effect.ref, effect.field)
            before = last.get(key)
            if effect.engine and before is not None and before.actor == "people" and not unseen(vendor, before, effect):
                born_us = max((written[effect.field, m] for m in marks(effect) if (effect.field, m) in written), default=before.at_us)
                agreed = effect.after and (marks(before) or _cleared(case, side, before, shown_us.get(key, 0), effect))
                older = born_us < before.at_us and not set(marks(effect)) & set(marks(before))
                if agreed and older and _undisputed(case, side, effect) and not _new_ground(case, side, before, effect):
                    yield Violation(
                        "I2", f"{side} {effect.ref} {effect.field}: {before.after!r} gave way to older {effect.after!r} ({effect.actor})"
                    )
            for name, value in effect.after.items() if effect.op == "create" else ():
                last[effect.ref, name] = effect._replace(field=name, before=None, after=value)
            if effect.field in TWO_WAY and effect.field not in ("tags", "email"):
                shown_us[key] = before.shown_us if before is not None else 0
                last[key] = effect


def _written(world: World) -> dict[tuple[str, ...], int]:
    """(field, mark) → when people or a vendor wrote it last."""
    written: dict[tuple[str, ...], int] = {}
    for effect in sorted((e for v in world.vendors.values() for e in v.effects if not e.engine), key=lambda e: e.at_us):
        values = effect.after if effect.op in ("create", "convert") else {effect.field: effect.after}
        for name, value in values.items():
            written |= {(name, mark): effect.at_us for mark in marks(effect._replace(field=name, after=value))}
    return written


def _cleared(case: Case, side: Side, edit: Effect, shown_us: int, write: Effect) -> bool:
    """Whether people emptied what both sides had, where a blank empties the other side, and a round had heard; and nothing ever waited."""
    emptied = set(marks(edit._replace(after=edit.before)))
    across = (e for e in case.world.vendors[other(side)].effects if e.at_us < edit.at_us)
    if not any(emptied & set(marks(e)) for e in values_of(across) if e.field == edit.field):
        return False  # taken back before it was ever carried: nothing has changed here
    heard = any(shown_us < began and ended < edit.at_us for began, ended in case.world.heard)
    held = any(entry.kind == "hold" and entry.field == edit.field for entry in case.entries_about(int(write.actor.split("-")[1])))
    return edit.field in CLEARS and bool(edit.before) and not edit.after and heard and not held


def _undisputed(case: Case, side: Side, write: Effect) -> bool:
    return bool({entry.rule for entry in case.entries_of(write, side) if entry.field == write.field} & UNDISPUTED)


def _new_ground(case: Case, side: Side, edit: Effect, write: Effect) -> bool:
    """Whether the vendor across has put another record in the place of this contact's since: then that one's values are the last word.

    Or whether what we wrote there had not been shown yet when this was edited: then what it was before and what it is now look alike.
    """
    contact, far = int(write.actor.split("-")[1]), case.world.vendors[other(side)]
    ours = {ref for (s, ref), mine in case.contact.items() if s == other(side) and mine[0] == contact}
    merged = any(e.op == "merge" and e.ref in ours and edit.at_us < e.at_us < write.at_us for e in far.effects)
    silent = max((at for ref in ours for at in far.silent.get(ref, ()) if at < edit.at_us), default=None)
    looked = silent is not None and any(silent < at < edit.at_us for ref in ours for at, _, _ in far.looks.get(ref, ()))
    return merged or (silent is not None and not looked)


def no_tag_again(case: Case) -> Iterator[Violation]:
    """What people took from a set stays away, unless they add it again somewhere. A set that they emptied says nothing."""
    if NO_BASE & case.world.injected.keys():
        return
    merged = {effect.who for vendor in case.world.vendors.values() for effect in vendor.effects if effect.op in ("merge", "fill")}
    taken: dict[tuple[Side, str, str], Effect] = {}
    effects = sorted(((e, side) for side, v in case.world.vendors.items() for e in v.effects if e.field == "tags"), key=_when)
    for effect, side in effects:
        more = set(members(effect.after)) - set(members(effect.before))
        less = set(members(effect.before)) - set(members(effect.after)) if members(effect.after) else ()
        if effect.engine:
            for again in more & {tag for s, ref, tag in taken if (s, ref) == (side, effect.ref)}:
                away = taken[side, effect.ref, again]
                if effect.who not in merged and not unseen(case.world.vendors[side], away, effect):
                    yield Violation("I2", f"{side} {effect.ref}: tag {again} was taken away, and {effect.actor} added it again")
            continue
        taken = {
            key: away for key, away in taken.items() if key[2] not in more and (members(effect.after) or key[:2] != (side, effect.ref))
        }
        taken |= {(side, effect.ref, tag): effect for tag in less}


def _when(item: tuple[Effect, Side]) -> int:
    return item[0].at_us
