"""Whether one field's declaration agrees with itself: its rule, its value table, its transforms. Used by `consistency`."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import available_timezones

from mappings.declared import Declared
from mappings.lenses import lens_of
from mappings.lines import Loc
from mappings.near import meant
from mappings.schema import ConflictModel, FieldModel
from mappings.transforms.phone import REGIONS
from syncline.mapping import Rule
from syncline.records import SIDES, Side, other

Found = Iterator[tuple[Loc, str]]

RULES: dict[str, tuple[set[str], set[str]]] = {
    # rule: (words it needs, words it may have)
    "prefer": ({"side"}, set()),
    "newest": (set(), {"tie", "skew"}),
    "fill_blank": (set(), {"then"}),
    "furthest": ({"order"}, {"may_regress"}),
    "most_restrictive": ({"order"}, {"silent"}),
    "union": (set(), set()),
    "hold": (set(), set()),
}
ON_TYPES = {
    "text": {"text"}, "phone": {"phone"}, "country": {"country"}, "instant": {"instant", "date"}, "scale": {"number"}, "split": {"set"},
    "name": {"text"}, "choices": {"choice", "set"}, "consent": {"choice"},
    "const": {"text", "number", "boolean", "date", "choice", "country"},
}  # fmt: skip
"""Transform → the types it can be used on."""
ALONE = {"name", "consent", "const"}
"""Transforms that leave no room for another."""


def field_problems(field: Declared, model: FieldModel) -> Found:
    """Every check of one field."""
    for check in (_ends, _transforms, _zones, _conflict, _order, _consent, _back):
        yield from check(field, model)


def _ends(field: Declared, model: FieldModel) -> Found:
    loc = ("fields", field.name)
    for side in SIDES:
        if field.names[side] is None and side not in field.const:
            yield loc, f"{field.name} has no {side} name: write {side}: <native name>"
    if field.const and not field.create_only:
        yield loc, f"{field.name} is a constant: add when: create, so that it is given once and never fights an edit"
    for side in field.const:
        if field.names[side] is not None and len(field.const) == 1:
            yield (*loc, side), f"{field.name} is a constant, so nothing is read from {side}: remove {side}: {field.names[side]}"
    if set(SIDES) <= set(field.const):
        yield loc, f"{field.name} is constant on both sides: name one side under const"
    for side in field.required_in:
        if not field.writes(side):
            yield (*loc, "required_in"), f"{field.name} is required in {side}, but never travels there: change direction or required_in"


def _transforms(field: Declared, model: FieldModel) -> Found:
    loc = ("fields", field.name, "transform")
    for word in field.transforms:
        if field.type not in ON_TYPES[word]:
            takes = " or ".join(sorted(ON_TYPES[word]))
            yield (*loc, word), f"{field.name}: {word} is for type {takes}, not {field.type}: change the type or the transform"
    for word in ALONE & set(field.transforms):
        if len(field.transforms) > 1 and not (word == "name" and set(field.transforms) <= {"name", "text"}):
            yield (*loc, word), f"{field.name}: {word} does not go together with {', '.join(w for w in field.transforms if w != word)}"
    if field.type == "date" and "instant" in field.transforms and all(field.side[s].instant for s in SIDES):
        yield (*loc, "instant"), f"{field.name}: both sides are instants, so let the field be one: type: instant"


def _zones(field: Declared, model: FieldModel) -> Found:
    for prefix, own in (((), model.transform), *(((side,), getattr(model.transform, side)) for side in SIDES)):
        loc = ("fields", field.name, "transform", *prefix)
        zone = own.instant.zone if own and own.instant else None
        region = own.phone.region if own and own.phone else None
        if zone and zone not in available_timezones():
            yield (*loc, "instant", "zone"), f"{field.name}: there is no time zone {zone}{meant(zone, available_timezones())}"
        if region and region not in REGIONS:
            yield (*loc, "phone", "region"), f"{field.name}: there is no region {region}: write a two-letter country code such as IE"
        if field.type == "date" and own and own.instant and not zone:
            yield (*loc, "instant"), f"{field.name}: a date is not an instant: name the zone in which the day is meant"


def _conflict(field: Declared, model: FieldModel) -> Found:
    yield from _words(field.name, model.conflict, field.rule, ("fields", field.name, "conflict"))
    if field.rule.name == "union" and field.type != "set":
        yield ("fields", field.name, "conflict"), f"{field.name}: union joins sets, and this is a {field.type}: choose another rule"


def _words(name: str, said: ConflictModel | None, rule: Rule, loc: Loc) -> Found:
    """Words the rule does not take, and words it lacks; for `then` likewise."""
    needs, may = RULES[rule.name]
    for word in sorted((said.model_fields_set if said else set()) - {"rule"} - needs - may):
        yield (*loc, word), f"{name}: rule {rule.name} takes no {word}{_owner_of(word)}"
    for word in sorted(needs):
        if not getattr(rule, word):
            yield loc, f"{name}: rule {rule.name} needs {word}: write it"
    if rule.then:
        if rule.then.name == "fill_blank":
            yield (*loc, "then"), f"{name}: then: fill_blank never decides: choose newest, prefer or hold"
        yield from _words(name, said.then if said else None, rule.then, (*loc, "then"))


def _owner_of(word: str) -> str:
    rules = [rule for rule, (needs, may) in RULES.items() if word in needs | may]
    return f": it belongs to {' and '.join(rules)}"


def _order(field: Declared, model: FieldModel) -> Found:
    rule, loc = field.rule, ("fields", field.name, "conflict")
    if rule.name not in ("furthest", "most_restrictive") or not rule.order:
        return
    meanings = field.table.meanings() if field.table else rule.order
    ranked = (*rule.order, *rule.silent)
    for value in dict.fromkeys(meanings):
        if value not in ranked:
            yield (*loc, "order"), f"{field.name}: {value} is a choice the order misses: give it a place"
    for value in ranked:
        if value not in meanings:
            yield (*loc, "order"), f"{field.name}: the order names {value}, which no native value means{meant(value, meanings)}"
        if ranked.count(value) > 1:
            yield (*loc, "order"), f"{field.name}: {value} stands twice in the order or among the silent: keep one"


def _consent(field: Declared, model: FieldModel) -> Found:
    loc = ("fields", field.name)
    if field.grant and not field.consent:
        yield (*loc, "grant"), f"{field.name}: grant is for consent: add transform: {{consent: …}} or remove it"
    if field.grant and field.rule.name != "most_restrictive":
        yield (*loc, "grant"), f"{field.name}: grant needs conflict: {{rule: most_restrictive, order: …}}"
    if field.grant and field.table and field.grant.writes not in field.table.meanings():
        yield (
            (*loc, "grant", "writes"),
            f"{field.name}: no native value means {field.grant.writes}{meant(field.grant.writes, field.table.meanings())}",
        )
    if field.consent and field.rule.name != "most_restrictive":
        yield loc, f"{field.name}: consent under rule {field.rule.name} could grant it: use conflict: {{rule: most_restrictive, order: …}}"
    if field.consent and "clear" in (model.on_blank.crm, model.on_blank.marketing):
        yield (*loc, "on_blank"), f"{field.name}: a blank never changes consent: remove on_blank: clear"


def _back(field: Declared, model: FieldModel) -> Found:
    for side in SIDES:
        target = field.direction in ("both", f"to_{side}")
        if target and (side in field.const or (field.names[side] and not _has_put(field, side))):
            yield ("fields", field.name), f"{field.name}: there is no way back to {side}: write direction: to_{other(side)}"


def _has_put(field: Declared, side: Side) -> bool:
    fits = all(field.type in ON_TYPES[word] for word in field.transforms)
    if not fits or "instant" in field.transforms:
        return True
    return lens_of(field, side).two_way
