"""The short way of texts that travel as they are gives the very plan that their lenses would have given."""

from dataclasses import replace
from typing import Any

import pytest
from kernel_modules import Kernel
from native import mapping
from world import SIDES

MOST = 8


def _with(k: Kernel, most: int) -> Any:
    """`first` is shortened across; the short way is open for texts that fit."""
    chosen = mapping(k, ("email", "first", "last", "consent"))
    field = chosen.field("first")
    lenses = {side: replace(lens, as_is=most) for side, lens in field.lenses.items()}
    fields = tuple(replace(one, lenses=lenses) if one.name == "first" else one for one in chosen.fields)
    return type(chosen)(chosen.name, "1", chosen.sides, fields, (), chosen.policy)


@pytest.mark.parametrize("first", [None, "", "Ann", "Annabell", "Annabella", " Ann "])
def test_the_short_way_changes_nothing(kernel: Kernel, first: Any) -> None:
    seen = {"email": "ann@people.example", "first": first, "last": "Kelly", "consent": "yes"}
    contact = kernel.plan.Contact(1, {"crm": kernel.plan.SideState("c", seen)}, "new")
    traits = {side: kernel.planner.Traits() for side in SIDES}
    long, short = (kernel.planner.plan_contact(_with(kernel, most), contact, traits) for most in (0, MOST))
    assert long == short
    assert long.writes[0].fields.get("first") == ((first or "")[:MOST] or None)


def test_of_one_way_and_consent_fields_there_is_none(kernel: Kernel) -> None:
    chosen = _with(kernel, MOST)
    routes = {name: as_is for name, *as_is, _route in chosen.routes["crm"]}
    assert routes == {"email": ["", "", 0], "first": ["first", "first", MOST], "last": ["", "", 0], "consent": ["", "", 0]}


def test_values_are_read_when_they_are_asked_for(kernel: Kernel) -> None:
    chosen = mapping(kernel, ("email", "first", "last"))
    values = kernel.merge.Values(chosen, "crm", {"email": "ann@people.example", "last": None})
    missing = kernel.records.MISSING
    assert dict(values) == {"email": "ann@people.example", "first": missing, "last": None} and len(values) == 3
    assert values.get("nobody maps this", missing) is missing
