"""Wherever the kernel asks a lens: a refusal holds the field, or the contact, and any other error is a defect and is raised."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from kernel_modules import Kernel
from native import mapping
from world import SIDES

KELLY = {"email": "ann@people.example", "last": "Kelly", "consent": "yes"}


def _raises(error: Exception, when: Callable[[Any], bool] = lambda _native: True) -> Callable[..., Any]:
    """What a lens does that refuses where `when` says so of the native fields."""

    def ask(value: Any, native: Any = None) -> Any:
        shown = value if native is None else native
        if when(shown):
            raise error
        return {"last": value} if native is not None else value["last"]

    return ask


def _with(k: Kernel, name: str, side: str, **changed: Any) -> Any:
    """The mapping of three fields, one lens of one of them replaced in part."""
    chosen = mapping(k, ("email", "last", "consent"))
    field = chosen.field(name)
    lens = replace(field.lenses[side], **changed)
    odd = replace(field, lenses={**field.lenses, side: lens})
    return _made_of(chosen, [odd if one.name == name else one for one in chosen.fields])


def _made_of(chosen: Any, fields: list[Any]) -> Any:
    return type(chosen)(chosen.name, "1", chosen.sides, tuple(fields), (), chosen.policy)


def _plan(k: Kernel, chosen: Any, state: str = "active", held: frozenset[str] = frozenset(), **sides: Any) -> Any:
    traits = {side: k.planner.Traits(can_restore=True) for side in SIDES}
    return k.planner.plan_contact(chosen, k.plan.Contact(1, sides, state, held=held), traits)


def _both(k: Kernel, crm_last: str = "Byrne") -> dict[str, Any]:
    marketing = KELLY | {"consent": "unsub"}
    return {
        "crm": k.plan.SideState("c", KELLY | {"last": crm_last}, KELLY),
        "marketing": k.plan.SideState("m", marketing, marketing),
    }


def _one(k: Kernel) -> dict[str, Any]:
    return {"crm": k.plan.SideState("c", KELLY)}


def _returned(k: Kernel) -> dict[str, Any]:
    """Live again in the CRM, by now with an opt-out, and archived by us in marketing."""
    shadow = KELLY | {"consent": "sub"}
    return {"crm": k.plan.SideState("c", KELLY, KELLY), "marketing": k.plan.SideState("m", shadow, shadow, "archived")}


def _pending(native: Any) -> bool:
    """A neighbour has put its own change already: only the write itself meets that."""
    return native.get("email") == "new@people.example"


def _places(k: Kernel, error: Exception) -> list[tuple[str, Any, str, dict[str, Any]]]:
    """(field or "" for the whole contact that waits, mapping, state, records): every place where the kernel asks a lens."""
    no = _raises(error)
    renamed = _both(k)
    renamed["crm"] = replace(renamed["crm"], seen={**renamed["crm"].seen, "email": "new@people.example"})
    return [
        ("last", _with(k, "last", "crm", get=no), "active", _both(k)),
        ("last", _with(k, "last", "marketing", put=no), "active", _both(k)),
        ("last", _with(k, "last", "marketing", put=_raises(error, _pending)), "active", renamed),
        ("last", _with(k, "last", "crm", get=no), "new", _one(k)),
        ("last", _with(k, "last", "marketing", put=no), "new", _one(k)),
        ("", _with(k, "consent", "marketing", put=no), "new", _one(k)),
        ("", _with(k, "consent", "marketing", put=no), "deleted", _returned(k)),
    ]


def test_a_refusal_holds_wherever_a_lens_is_asked(kernel: Kernel) -> None:
    refusal = kernel.errors.Rejected("not here")
    for number, (field, chosen, state, sides) in enumerate(_places(kernel, refusal)):
        plan = _plan(kernel, chosen, state, **sides)
        assert field in [hold.field for hold in plan.holds], number
        assert bool(plan.writes) is (field == "last" and len(plan.entries) > 0), number
        assert all("last" not in write.fields for write in plan.writes), number


def test_any_other_error_is_raised_wherever_a_lens_is_asked(kernel: Kernel) -> None:
    defect = kernel.errors.UsageError("a lens that is broken")
    lossy = _with(kernel, "last", "marketing", put=_raises(defect), lossy=True)
    for number, (_, chosen, state, sides) in enumerate([*_places(kernel, defect), ("", lossy, "active", _both(kernel))]):
        with pytest.raises(kernel.errors.UsageError):
            _plan(kernel, chosen, state, **sides)
            raise AssertionError(number)


def test_a_field_that_waits_goes_on_waiting_until_both_agree(kernel: Kernel) -> None:
    """A neighbour that shares its native name may have moved its base: nobody changed anything since, and yet it is not settled."""
    chosen = mapping(kernel, ("email", "last", "consent"))
    apart, alike = _both(kernel), _both(kernel, "Kelly")
    apart["crm"] = replace(apart["crm"], shadow=apart["crm"].seen)
    for sides, held, waits in ((apart, {"last"}, ["last"]), (apart, set(), []), (alike, {"last"}, [])):
        plan = _plan(kernel, chosen, held=frozenset(held), **sides)
        assert [(hold.field, hold.code) for hold in plan.holds] == [(name, "Unresolved") for name in waits] and not plan.writes


def test_a_side_that_shows_all_it_can_ends_the_waiting(kernel: Kernel) -> None:
    shown = {"crm": "Maximiliane", "marketing": "Maximili"}
    sides = {side: kernel.plan.SideState(side, {"first": text}, {"first": text}) for side, text in shown.items()}
    assert not _plan(kernel, mapping(kernel, ("first",)), held=frozenset({"first"}), **sides).holds


def test_two_silences_over_a_shortened_text_move_nothing(kernel: Kernel) -> None:
    """`fill_blank` may hand on to a rule that has no answer."""
    rule = kernel.mapping.Rule("fill_blank", then=kernel.mapping.Rule("most_restrictive", order=("in", "out"), silent=("unknown", "no")))
    first = replace(mapping(kernel, ("first",)).field("first"), rule=rule)
    chosen = _made_of(mapping(kernel, ("first",)), [replace(first, lenses={**first.lenses, "marketing": _two_letters(kernel)})])
    sides = {
        "crm": kernel.plan.SideState("c", {"first": "unknown"}, {"first": "unknown"}),
        "marketing": kernel.plan.SideState("m", {"first": "no"}, {"first": "in"}),
    }
    plan = _plan(kernel, chosen, **sides)
    assert not plan.writes and not plan.holds and not plan.entries


def _two_letters(k: Kernel) -> Any:
    return k.lens.at("first", k.lens.Step(get=lambda value: value, put=lambda value: value[:2], lossy=True))
