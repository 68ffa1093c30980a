"""What people and vendors do on their own: edits, opt-outs, deletes, merges. An act on somebody who has no live record is nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from syncline.records import Proof, other
from tests.simulation import words
from tests.simulation.profiles import STAGES
from tests.simulation.vendor import Rec, Vendor

if TYPE_CHECKING:
    from tests.simulation.world import World

Step = Mapping[str, Any]


def act(world: World, step: Step) -> None:
    ACTS[step["do"]](world, world.vendors[step["side"]], step)


def _one(vendor: Vendor, who: int, *lives: str) -> Rec | None:
    return min(vendor.of(who, *lives), key=lambda rec: rec.ref, default=None)


def _values(vendor: Vendor, who: int, fields: list[list[Any]]) -> dict[str, Any]:
    """[field, n] pairs as values. A stage is a place in the order; a negative n is what the other side cannot take."""
    values: dict[str, Any] = {}
    for field, n in fields:
        if field == "stage":
            word = words.BAD_STAGE if n < 0 else STAGES[n % len(STAGES)]
            values[field] = word if vendor.side == "crm" else word.upper()
        elif field == "phone" and n < 0:
            values[field] = words.BAD_PHONE
        else:
            values[field] = words.value(field, abs(n), who)
    return values


def create(world: World, vendor: Vendor, step: Step) -> None:
    """A new record: with the address the person has across, if any."""
    who = step["who"]
    across = _one(world.vendors[other(vendor.side)], who)
    address = across.fields["email"] if across is not None else words.first_address(who)
    if _one(vendor, who) is not None or (vendor.profile.unique and vendor.at(address) is not None) or not address:
        return
    values = {"email": address, **_values(vendor, who, step["fields"])}
    word = vendor.profile.words.get(step["consent"], vendor.profile.words["silent"])
    proof = _proof(vendor, who) if step["consent"] == "in" and vendor.profile.proves else None
    vendor.create(who, values | {"consent": word}, "people", proof)


def _proof(vendor: Vendor, who: int) -> Proof:
    vendor.proofs.append((who, vendor.now()))
    return Proof("form", vendor.clock())


def edit(world: World, vendor: Vendor, step: Step) -> None:
    rec = _one(vendor, step["who"])
    if rec is not None:
        vendor.edit(rec, _values(vendor, step["who"], step["fields"]), "people")


def blank(world: World, vendor: Vendor, step: Step) -> None:
    rec = _one(vendor, step["who"])
    if rec is not None:
        vendor.edit(rec, {step["field"]: [] if step["field"] == "tags" else ""}, "people")


def tag(world: World, vendor: Vendor, step: Step) -> None:
    """One more, or one less."""
    rec = _one(vendor, step["who"])
    if rec is not None:
        now = words.members(rec.fields["tags"])
        new = [*now, words.mark("tags", step["n"])] if step["n"] >= 0 else sorted(now)[1:]
        vendor.edit(rec, {"tags": new}, "people")


def consent(world: World, vendor: Vendor, step: Step) -> None:
    """Opt out, opt in (with proof where the vendor keeps one, unless an admin did it), bounce."""
    rec, word = _one(vendor, step["who"]), vendor.profile.words.get(step["to"])
    if step["to"] == "in" and word is None:
        word = vendor.profile.words["silent"]
    if rec is not None and word is not None:
        proven = step["to"] == "in" and step["proof"] and vendor.profile.proves
        vendor.edit(rec, {"consent": word}, "people", proof=_proof(vendor, rec.who) if proven else None)


def address(world: World, vendor: Vendor, step: Step) -> None:
    """A new address, or that of somebody else, where the vendor lets two have one."""
    rec = _one(vendor, step["who"])
    new = words.value("email", step["n"], step["who"]) if step["n"] >= 0 else words.first_address(-step["n"])
    if rec is not None and not (vendor.profile.unique and vendor.at(new) is not None):
        vendor.edit(rec, {"email": new}, "people")


def delete(world: World, vendor: Vendor, step: Step) -> None:
    rec = _one(vendor, step["who"])
    if rec is not None and step["for_good"]:
        vendor.remove(rec, "people")
    elif rec is not None:
        vendor.live_on(rec, "archived", "people", "archive")


def undelete(world: World, vendor: Vendor, step: Step) -> None:
    rec = _one(vendor, step["who"], "archived")
    if rec is not None and _one(vendor, step["who"]) is None and not (vendor.profile.unique and vendor.at(rec.fields["email"])):
        vendor.live_on(rec, "live", "people", "undelete")


def merge(world: World, vendor: Vendor, step: Step) -> None:
    winner, loser = _one(vendor, step["who"]), _one(vendor, step["loser"])
    if winner is not None and loser is not None and winner is not loser and vendor.profile.capabilities.merges != "none":
        vendor.merge(winner, loser)


def convert(world: World, vendor: Vendor, step: Step) -> None:
    rec = _one(vendor, step["who"])
    if rec is not None and vendor.profile.capabilities.merges != "none":
        vendor.convert(rec)


ACTS: Mapping[str, Callable[[World, Vendor, Step], None]] = {
    act.__name__: act for act in (create, edit, blank, tag, consent, address, delete, undelete, merge, convert)
}
