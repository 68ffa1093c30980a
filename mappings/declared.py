"""What a field's declaration comes to once the defaults are applied and each side's transforms are told apart.

Used by all that judges or builds a field.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mappings.schema import ConflictModel, FieldModel, MappingModel, OnBlankModel, SideTransforms
from mappings.tables import ValueTable
from syncline.mapping import Direction, Grant, OnBlank, Rule
from syncline.records import CRM, MARKETING, SIDES, Side, other

TYPE_OF = {
    "consent": "choice", "split": "set", "choices": "choice", "country": "country", "phone": "phone", "scale": "number",
    "instant": "instant", "name": "text", "text": "text", "const": "text",
}  # fmt: skip
"""Transform → the type a field has on its account, the most telling first."""


@dataclass(frozen=True, slots=True)
class Declared:
    """One field. `side[s]`: that side's own transforms; `table`: of choices or consent; `names[s]`: None where a constant stands in."""

    name: str
    type: str
    names: dict[Side, str | None]
    side: dict[Side, SideTransforms]
    transforms: tuple[str, ...]
    table: ValueTable | None
    consent: bool
    country: dict[Side, str]
    const: dict[Side, Any]
    direction: Direction
    create_only: bool
    on_blank: dict[Side, OnBlank]
    rule: Rule
    required_in: frozenset[Side]
    grant: Grant | None

    def writes(self, side: Side) -> bool:
        """Whether values may travel to `side`."""
        return self.names[side] is not None and self.direction in ("both", f"to_{side}")


def declared(mapping: MappingModel) -> tuple[Declared, ...]:
    """Every field of the mapping, in the order written."""
    return tuple(_declared(name, field, mapping) for name, field in mapping.fields.items())


def rule_of(conflict: ConflictModel | None, defaults: ConflictModel) -> Rule:
    """A field's rule: what it says itself, else what the defaults say. `fill_blank` without `then` falls back on the defaults' rule."""
    own = conflict or ConflictModel()
    name = own.rule or defaults.rule or "newest"
    then = None
    if name == "fill_blank":
        fallback = ConflictModel(rule="hold") if defaults.rule == "fill_blank" else defaults
        then = rule_of(own.then or (defaults.then if not own.rule else None) or fallback, defaults)

    def said(word: str, fallback: Any) -> Any:
        mine, theirs = getattr(own, word), getattr(defaults, word)
        shared = word in ("tie", "skew") or name == defaults.rule
        return mine if mine is not None else theirs if shared and theirs is not None else fallback

    return Rule(
        name=name,
        side=said("side", None),
        tie=said("tie", CRM),
        skew_us=said("skew", 0),
        order=tuple(said("order", ())),
        silent=tuple(said("silent", ())),
        may_regress=said("may_regress", None),
        then=then,
    )


def _declared(name: str, field: FieldModel, mapping: MappingModel) -> Declared:
    transform, defaults = field.transform, mapping.defaults
    used = tuple(word for word in TYPE_OF if any(_has(holder, word) for holder in (transform, transform.crm, transform.marketing)))
    consent = transform.consent is not None
    return Declared(
        name=name,
        type=field.type or (TYPE_OF[used[0]] if used else "text"),
        names={CRM: field.crm, MARKETING: field.marketing},
        side={side: _of_side(field, side) for side in SIDES},
        transforms=used,
        table=transform.consent or transform.choices,
        consent=consent,
        country={side: getattr(transform.country, side) for side in SIDES} if transform.country else {},
        const={other(side): value for side, value in (transform.const or {}).items()},
        direction=field.direction or defaults.direction,
        create_only=field.when == "create",
        # Whatever the defaults say, a blank is no evidence of consent.
        on_blank={side: "ignore" if consent else _on_blank(field.on_blank, defaults.on_blank, side) for side in SIDES},
        rule=rule_of(field.conflict, defaults.conflict),
        required_in=frozenset(field.required_in),
        grant=Grant(tuple(field.grant.requires), field.grant.writes) if field.grant else None,
    )


def _has(holder: SideTransforms | None, word: str) -> bool:
    return getattr(holder, word, None) is not None


def _of_side(field: FieldModel, side: Side) -> SideTransforms:
    """What is said for both sides, overlaid with what is said for this one. A scale for both is marketing's: canonical is the CRM's."""
    shared, own = field.transform, getattr(field.transform, side) or SideTransforms()
    words = {word: getattr(own, word) if _has(own, word) else getattr(shared, word) for word in SideTransforms.model_fields}
    if side == CRM and not _has(own, "scale"):
        words["scale"] = None
    return SideTransforms(**words)


def _on_blank(own: OnBlankModel, defaults: OnBlankModel, side: Side) -> OnBlank:
    return getattr(own, side) or getattr(defaults, side) or "ignore"
