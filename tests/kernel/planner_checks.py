"""Whole rounds against two vendors: people edit, the engine runs until it is quiet, and then the vendors and the log are asked."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from kernel_modules import Kernel
from native import STAGES, canons, mapping
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


def edited_world(k: Kernel, edits: Sequence[Edit], normal: tuple[str, str], seed: int) -> tuple[World, dict[tuple[str, str], Any]]:
    """A linked, quiet pair of records, perturbed; and the last thing each side says of each field it edited."""
    world = World(
        k, mapping(k, FIELDS), {side: NORMALISERS[name] for side, name in zip(SIDES, normal, strict=True)}, rng=random.Random(seed)
    )
    base = {name: f"{name} base" for name in FIELDS} | {"email": "ann@people.example", "tags": "ta;tb"}
    for side in SIDES:
        world.add(side, side, **base | {"stage": f"{side[0]}_mql", "first": "Ann", "source": f"{side} base"})
    assert world.until_quiet() == 0
    said = {}
    for number, edit in enumerate(edits):
        value = _value(edit, number, world.vendors[edit.side][edit.side].fields)
        world.edit(edit.side, edit.side, **{edit.field: value})
        said[edit.side, edit.field] = value
    return world, said


def _value(edit: Edit, number: int, now: dict[str, Any]) -> Any:
    if edit.field == "stage":
        return f"{edit.side[0]}_{STAGES[edit.kind % 3]}"
    if edit.field == "tags":
        members = (now["tags"] or "").split(";")
        return ";".join(sorted({*members, f"t{number}"})) if edit.kind > 2 else ";".join(members[1:]) or None
    if edit.kind == 0 and edit.field != "email":
        return ""
    return f" {edit.field} {number} Given {edit.side}" if edit.field != "email" else f"Ann{number}@people.example "


def converges(k: Kernel, edits: Sequence[Edit], normal: tuple[str, str], seed: int, fault: str = "") -> None:
    """I1, I2, I5, I7, I14, I17, I21 after any edits, whatever the vendors make of what they are told.

    `fault`: the first round's pushes are `unanswered`, or never made (`lost`).
    """
    world, said = edited_world(k, edits, normal, seed)
    _shadows_wait_for_echoes(world)
    if fault == "lost":
        world.commit(1, world.plan(1))
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


def seeded_edits(seed: int) -> list[Edit]:
    rng = random.Random(seed)
    return [Edit(rng.choice(SIDES), rng.choice(FIELDS), rng.randrange(6)) for _ in range(rng.randrange(1, 9))]


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
