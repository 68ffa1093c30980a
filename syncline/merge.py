"""One field, one record: who wins, what is written, and why. Pure; `plan` turns the answers into writes and log entries.

Theory of operation. Each side is compared with *its own* shadow, never with the other side's: that alone says who changed. Then

    both show the same                         nothing to write, whoever changed
    nobody changed, yet they differ            nothing to write (one side cannot show it all, or a blank was ignored, or it is held)
    one shows all it can of the other          nothing to write: a shortened text, perhaps our own write that never got its answer
    one side changed                           its value moves, unless the rule judges every move, or the move would shorten the other
    both changed, or there is no base          the rule decides
    the field flows one way                    the source's value stands, but consent is judged all the same

A side is written only if it would then show something else than it shows now. That one test makes truncation, case folding and value tables
quiet: `project` asks the side's own lens what it would show.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from syncline.conflict import JUDGES_EVERY_MOVE, TITLE, Dispute, Evidence, Grade, Ruling, decide
from syncline.errors import Recovery, SyncError
from syncline.lens import project
from syncline.mapping import CompiledMapping, Field
from syncline.records import CRM, MARKETING, MISSING, SIDES, Native, Side, Value, is_blank, other

Both = Mapping[Side, Value]


@dataclass(frozen=True, slots=True)
class Decision:
    """What is agreed for one field. `writes[side]`: the canonical value to put there. `lost`: what gives way, and where.

    `rule`: the rule's name, or `agreed`, `one_side`, `one_way`, `fill`. `held` with `code`: the field waits, and nothing moves.
    """

    field: str
    value: Value
    winner: Side | None
    rule: str
    reason: str
    writes: Mapping[Side, Value]
    evidence: Grade = "none"
    lost: tuple[tuple[Side, Value], ...] = ()
    held: bool = False
    code: str = ""


def merge_field(field: Field, base: Both, now: Both, evidence: Evidence, native: Mapping[Side, Native]) -> Decision | None:
    """Decide one field; None when there is nothing to decide: equal as it was agreed, unchanged, or not shown.

    `base`, `now`: canonical values per side, MISSING where unknown. `native`: what each side shows, for asking its lens what it would show.
    """
    if now[CRM] is MISSING or now[MARKETING] is MISSING:
        return None
    canon = field.canon
    plain = {side: canon(now[side]) for side in SIDES}
    bases = {side: base[side] if base[side] is MISSING else canon(base[side]) for side in SIDES}
    if plain[CRM] == plain[MARKETING]:
        return None if bases == plain else Decision(field.name, _fuller(now), None, "agreed", "both sides show the same", {})
    known = bases[CRM] is not MISSING and bases[MARKETING] is not MISSING
    changed = tuple(side for side in SIDES if plain[side] != bases[side])
    if field.create_only or (known and not changed):
        return None
    ruling, rule = _rule(field, base, now, changed, known, evidence, native)
    if ruling is None:
        return None
    return _decision(field, ruling, rule, now, native)


def _fuller(now: Both) -> Value:
    return now[MARKETING] if is_blank(now[CRM]) else now[CRM]


def _rule(
    field: Field, base: Both, now: Both, changed: tuple[Side, ...], known: bool, evidence: Evidence, native: Mapping[Side, Native]
) -> tuple[Ruling | None, str]:
    """Which row of the table above applies: the ruling and its name. None: nothing moves."""
    if field.direction != "both" and field.rule.name != "most_restrictive":
        target: Side = "crm" if field.direction == "to_crm" else "marketing"
        return _one_way(field, now, target), "one_way"
    dispute = Dispute(field.rule, base, now, changed if known else (), evidence, field.on_blank, field.grant)
    full = None if field.rule.name == "most_restrictive" else _shows_all(field, now, native)
    if full is not None:
        return Ruling(now[full], full, f"{TITLE[other(full)]} shows as much of it as it can hold"), "agreed"
    if field.rule.name in JUDGES_EVERY_MOVE:
        return decide(dispute), field.rule.name
    if not known:
        filled = [side for side in SIDES if not is_blank(now[side])]
        if len(filled) == 1:
            return Ruling(now[filled[0]], filled[0], f"{TITLE[other(filled[0])]} had nothing here"), "fill"
        return decide(dispute), field.rule.name
    if len(changed) == 1:
        return _one_side(field, now, changed[0], dispute, native)
    return decide(dispute), field.rule.name


def _one_way(field: Field, now: Both, target: Side) -> Ruling | None:
    source = other(target)
    if is_blank(now[source]) and field.on_blank[source] == "ignore":
        return None
    return Ruling(now[source], source, f"this field is read from {TITLE[source]} only")


def _one_side(field: Field, now: Both, side: Side, dispute: Dispute, native: Mapping[Side, Native]) -> tuple[Ruling | None, str]:
    """One side changed: its value moves. A blank may be ignored; an edit of a shortened text is a dispute: it would shorten the other."""
    far = other(side)
    if is_blank(now[side]):
        cleared = Ruling(now[side], side, f"{TITLE[side]} cleared it")
        return (None if field.on_blank[side] == "ignore" else cleared), "one_side"
    if field.lenses[side].lossy and would_show(field, side, now[far], native) != field.canon(now[far]):
        ruling = decide(dispute)
        if ruling is None:
            return None, field.rule.name
        text = f"{ruling.reason}; {TITLE[side]} holds only a shortened form"
        return Ruling(ruling.value, ruling.winner, text, ruling.evidence, ruling.held), field.rule.name
    return Ruling(now[side], side, f"only {TITLE[side]} changed it"), "one_side"


def _shows_all(field: Field, now: Both, native: Mapping[Side, Native]) -> Side | None:
    """The side whose value the other one already shows as well as it can, or None. A blank is never a short form of something."""
    for side in SIDES:
        far = other(side)
        if field.lenses[far].lossy and not is_blank(now[far]) and would_show(field, far, now[side], native) == field.canon(now[far]):
            return side
    return None


def would_show(field: Field, side: Side, value: Value, native: Mapping[Side, Native]) -> object:
    """In canonical form; of a value that the side would refuse, the value itself: it is not shortened, it is held when it is put."""
    try:
        return field.canon(project(field.lenses[side], value, native[side]))
    except SyncError as error:
        if error.recovery is not Recovery.HOLD:
            raise
        return field.canon(value)


def impose(field: Field, value: Value, reason: str, now: Both, native: Mapping[Side, Native]) -> Decision:
    """A value that neither side's present record decides: the consent of a record that was merged away."""
    return _decision(field, Ruling(value, None, reason), field.rule.name, now, native)


def _decision(field: Field, ruling: Ruling, rule: str, now: Both, native: Mapping[Side, Native]) -> Decision:
    if ruling.held:
        return Decision(field.name, MISSING, None, rule, ruling.reason, {}, held=True, code="Conflict")
    writes: dict[Side, Value] = {}
    for side in SIDES:
        value = ruling.value if side == ruling.winner or ruling.asks is MISSING else ruling.asks
        if field.may_write(side) and _differs(field, side, value, now, native):
            writes[side] = value
    blanked = is_blank(ruling.value)
    required = [side for side in writes if blanked and side in field.required_in]
    if required:
        reason = f"{TITLE[required[0]]} requires a value here, and the agreed one is blank"
        return Decision(field.name, MISSING, None, rule, reason, {}, held=True, code="Required")
    lost = tuple((side, now[side]) for side in writes if not is_blank(now[side]))
    return Decision(field.name, ruling.value, ruling.winner, rule, ruling.reason, writes, ruling.evidence, lost)


def _differs(field: Field, side: Side, value: Value, now: Both, native: Mapping[Side, Native]) -> bool:
    """Whether putting `value` would change what the side shows. An out-of-domain value differs: `plan` holds it when it puts it."""
    if field.canon(now[side]) == field.canon(value):
        return False
    try:
        lens = field.lenses[side]
        shown = lens.get({**native[side], **lens.put(value, native[side])})
    except SyncError as error:
        if error.recovery is not Recovery.HOLD:
            raise
        return True
    return bool(field.canon(shown) != field.canon(now[side]))


def read_field(field: Field, side: Side, native: Native | None) -> tuple[Value, SyncError | None]:
    """Get one field; a HOLD error makes it MISSING, with the error beside it. Any other error is a defect and is raised."""
    if native is None:
        return MISSING, None
    try:
        return field.lenses[side].get(native), None
    except SyncError as error:
        if error.recovery is not Recovery.HOLD:
            raise
        return MISSING, error


class Values(Mapping[str, Value]):
    """Every canonical value one side shows, read when it is asked for; MISSING where it was not shown or cannot be read."""

    def __init__(self, mapping: CompiledMapping, side: Side, native: Native | None) -> None:
        self._mapping, self._side, self._native = mapping, side, native

    def __getitem__(self, name: str) -> Value:
        return read_field(self._mapping.field(name), self._side, self._native)[0]

    def __iter__(self) -> Iterator[str]:
        return (field.name for field in self._mapping.fields)

    def __len__(self) -> int:
        return len(self._mapping.fields)
