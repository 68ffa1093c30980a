"""Whole rounds against two vendors: people edit, the engine runs until it is quiet, and then the vendors and the log are asked."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from kernel_modules import Kernel
from native import STAGES, canons, mapping
from right_ends import Edited, right_end
from world import FAR, SIDES, World

FIELDS = ("email", "first", "last", "phone", "company", "source", "birthday", "stage", "tags")
NORMALISERS: dict[str, Callable[[Any], Any]] = {
    "none": lambda value: value,
    "trim": lambda value: value.strip() if isinstance(value, str) else value,
    "lower": lambda value: value.lower() if isinstance(value, str) and value[1:2] != "_" else value,
    "upper": lambda value: (
        value.upper() if isinstance(value, str) and value[1:2] != "_" and ";" not in value and value[:1] != "t" else value
    ),
    "null": lambda value: None if value == "" else value,
}


class Edit(NamedTuple):
    side: str
    field: str
    kind: int
    """0: a blank; anything else: a new value, of which there is only one."""


class Base(NamedTuple):
    """What both sides show before anybody edits. `kinds`: per field 0 the same, 1 blank, 2 blank in marketing, 3 spelled differently."""

    kinds: tuple[int, ...]

    def of(self, side: str) -> dict[str, Any]:
        return {name: _base_value(name, side, kind) for name, kind in zip(FIELDS, self.kinds, strict=True)}


PLAIN = Base((0,) * len(FIELDS))


def _base_value(name: str, side: str, kind: int) -> Any:
    if name != "email" and (kind == 1 or (kind == 2 and side == "marketing")):
        return None
    value = {"email": "ann@people.example", "first": "Ann", "stage": f"{side[0]}_mql", "tags": "ta;tb"}.get(name, f"{name} base")
    if name == "first" and kind == 3:
        return "Maximiliane" if side == "crm" else "Maximili"
    return f" {value} " if kind == 3 and side == "crm" and name not in ("stage", "tags") else value


def edited_world(
    k: Kernel, edits: Sequence[Edit], normal: tuple[str, str], seed: int, base: Base = PLAIN
) -> tuple[World, dict[tuple[str, str], Any], dict[str, Edited]]:
    """A linked, quiet pair of records, perturbed; the last thing each side says of each field it edited; what each field was and is."""
    world = World(
        k, mapping(k, FIELDS), {side: NORMALISERS[name] for side, name in zip(SIDES, normal, strict=True)}, rng=random.Random(seed)
    )
    for side in SIDES:
        world.add(side, side, **base.of(side))
    assert world.until_quiet() <= 1
    world.pushed.clear()
    before, said = _canonical(world), {}
    for number, edit in enumerate(edits):
        value = _value(edit, number, world.vendors[edit.side][edit.side].fields)
        world.edit(edit.side, edit.side, **{edit.field: value})
        said[edit.side, edit.field] = value
    after, last = _canonical(world), SIDES.index(edits[-1].side)
    return world, said, {name: Edited(before[name], after[name], last) for name in FIELDS}


def _canonical(world: World) -> dict[str, tuple[Any, Any]]:
    """What both sides show of each field, in canonical form."""
    shown = [world.vendors[side][world.contacts[1].refs[side]].fields for side in SIDES]
    fields = world.mapping.fields
    return {f.name: tuple(f.canon(f.lenses[side].get(one)) for side, one in zip(SIDES, shown, strict=True)) for f in fields}


def _value(edit: Edit, number: int, now: dict[str, Any]) -> Any:
    if edit.field == "stage":
        return f"{edit.side[0]}_{STAGES[edit.kind % 3]}"
    if edit.field == "tags":
        members = [member for member in (now["tags"] or "").split(";") if member]
        return ";".join(sorted({*members, f"t{number}"})) if edit.kind > 2 else ";".join(members[1:]) or None
    if edit.kind == 0 and edit.field != "email":
        return ""
    if edit.kind == 1 and edit.field == "first":
        return f"F{number}"
    return f" {edit.field} {number} Given {edit.side}" if edit.field != "email" else f"Ann{number}@people.example "


def converges(k: Kernel, edits: Sequence[Edit], normal: tuple[str, str], seed: int, fault: str = "", base: Base = PLAIN) -> None:
    """I1, I2, I5, I7, I14, I17, I21 after any edits, whatever the vendors make of what they are told; and the end that is right.

    `fault`: the first round's pushes are `unanswered`, or never made: all (`lost`), or those to one side.
    """
    world, said, edited = edited_world(k, edits, normal, seed, base)
    _shadows_wait_for_echoes(world)
    if fault == "lost":
        world.commit(1, world.plan(1))
    elif fault in SIDES:
        world.round(refused=fault)
    else:
        world.round(frozenset(SIDES) if fault else frozenset())
    before = len(world.pushed)
    if not fault:
        _bases_are_what_vendors_show(world, {hold.field for hold in world.holds[1]})
    assert world.until_quiet() <= (1 if fault else 0), edits
    entries = len(world.log)
    assert [world.round() for _ in range(3)] == [0, 0, 0] and len(world.log) == entries, edits
    held = {hold.field for hold in world.holds[1]}
    _same_on_both(world, held)
    ends = _canonical(world)
    for name in FIELDS:
        assert ends[name] == right_end(name, edited[name]), f"{name}: {edited[name]}"
    _nothing_lost(world, said)
    _minimal(world.pushed[:before] if fault else world.pushed, {edit.field for edit in edits})
    _bases_are_what_vendors_show(world, held)
    folds_to_the_tables(world)


def _shadows_wait_for_echoes(world: World) -> None:
    contact, plan = world.contact(1), world.plan(1)
    for write in plan.writes:
        for name in (*write.fields, *write.consent):
            assert plan.shadows[write.side].get(name) == contact.sides[write.side].shadow.get(name), f"{name}: not confirmed yet"


def _same_on_both(world: World, held: set[str]) -> None:
    shown = {side: world.vendors[side][world.contacts[1].refs[side]].fields for side in SIDES}
    for field in world.mapping.fields:
        if field.name in held or field.create_only:
            continue
        crm, marketing = (field.lenses[side].get(shown[side]) for side in SIDES)
        blank = any(world.k.records.is_blank(value) for value in (crm, marketing))
        if blank and "ignore" in field.on_blank.values():
            continue
        fitted = field.lenses["marketing"].get(field.lenses["marketing"].put(crm, shown["marketing"]))
        assert field.canon(marketing) in (field.canon(crm), field.canon(fitted)), f"{field.name}: {crm!r} and {marketing!r}"


def _nothing_lost(world: World, said: dict[tuple[str, str], Any]) -> None:
    """Each side's last word on a field is in a vendor, or in the log with the rule that overrode it."""
    canon = canons(world.k)["text"]
    shown = [canon(value) for side in SIDES for record in world.vendors[side].values() for value in record.fields.values() if value]
    told = [canon(value) for entry in world.log for value in (entry.old, entry.new) if isinstance(value, str) and entry.rule]
    for (side, field), value in said.items():
        if not value or field in ("stage", "tags"):
            continue
        assert any(canon(value) in text or text in canon(value) for text in (*shown, *told) if text), f"{side} said {field} = {value!r}"
    for (_, field), value in said.items():
        if field == "tags" and value:
            every = ";".join(str(entry) for entry in (*shown, *world.log))
            assert all(member in every for member in value.split(";")), value


def _minimal(pushed: Sequence[tuple[Any, dict[str, Any]]], edited: set[str]) -> None:
    for write, shown in pushed:
        assert write.fields or write.consent
        for name, value in write.fields.items():
            assert name in edited, f"{name} was edited by nobody"
            assert shown.get(name) != value, f"{name} is so already"


def _bases_are_what_vendors_show(world: World, held: set[str]) -> None:
    kept = world.contacts[1]
    for side in SIDES:
        shown = world.vendors[side][kept.refs[side]].fields
        for name in shown:
            if name not in held:
                assert kept.shadows[side][name] == shown[name], f"{side} {name}"


def folds_to_the_tables(world: World) -> None:
    """I14: the log from empty gives links, view and state."""
    folded = world.k.log.fold(world.log)
    for contact_id, kept in world.contacts.items():
        if kept.state == "new":
            continue
        one = folded[contact_id]
        assert (one.refs, one.view, one.state) == (kept.refs, kept.view, kept.state), f"contact {contact_id}"


def seeded_base(seed: int) -> Base:
    return Base(tuple(random.Random(-seed).choices(range(4), k=len(FIELDS))))


def seeded_edits(seed: int, fields: Sequence[str] = FIELDS) -> list[Edit]:
    rng = random.Random(seed)
    return [Edit(rng.choice(SIDES), rng.choice(fields), rng.randrange(6)) for _ in range(rng.randrange(1, 9))]


def creates(k: Kernel, source: str, consent: Any, proof: bool, blanks: frozenset[str]) -> World:
    """One record on one side; the engine creates the other. The consent it is born with, and nothing twice."""
    world = World(k, mapping(k, crm="full", delete_seen_in={}))
    base = {name: None if name in blanks else f"{name} x" for name in FIELDS} | {"tags": "ta", "stage": f"{source[0]}_lead"}
    base["email"] = None if "email" in blanks else "ann@people.example"
    world.add(source, "1", **base, consent=consent)
    if proof:
        world.edit(source, "1", proof=True)
    world.until_quiet()
    folds_to_the_tables(world)
    assert len(world.vendors[FAR[source]]) <= 1
    return world
