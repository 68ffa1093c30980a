"""What must hold of every single merge, as functions of a kernel and of cases."""

from __future__ import annotations

from collections.abc import Iterable

from kernel_modules import Kernel
from merge_cases import as_symbols, evidence, inputs, merged, natives, planned
from merge_cases import field as field_of
from oracle import Case, answer


def agrees_with_the_oracle(k: Kernel, cases: Iterable[Case]) -> int:
    count = 0
    for count, case in enumerate(cases, 1):  # noqa: B007
        decision, _, _, now = merged(k, case)
        assert as_symbols(k, decision) == answer(case), f"{case}: {decision}"
        _losses_are_named(k, decision, now)
    return count


def _losses_are_named(k: Kernel, decision: object, now: dict[str, object]) -> None:
    """Each value that is overwritten stands in the decision, with its side, and nothing else does."""
    if decision is None:
        return
    assert dict(decision.lost) == {side: now[side] for side in decision.writes if not k.records.is_blank(now[side])}, decision
    assert decision.reason and decision.rule, decision


def losses_are_logged(k: Kernel, cases: Iterable[Case]) -> int:
    """The whole plan of a contact with this one field. What a side shows and will not show any more stands in an entry, with the rule and
    what overrode it; what waits is named as waiting, and both sides keep what they show. How many losses there were."""
    losses = 0
    for case in cases:
        field, (_, now) = field_of(k, case), inputs(k, case)
        plan = planned(k, case)
        told = [entry for entry in plan.entries if entry.field == field.name and entry.rule and entry.reason]
        for write in plan.writes:
            old, new = (field.lenses[write.side].get({"v": native}) for native in (now[write.side], {**write.fields, **write.consent}["v"]))
            entries = [plan.entries[index] for index in write.entries]
            assert [entry.to.count(write.side) for entry in entries] == [1], f"{case}: one entry for each effect"
            if not k.records.is_blank(old) and field.canon(old) != field.canon(new):
                losses += 1
                assert field.canon(entries[0].old) == field.canon(old), f"{case}: {old!r} gives way unnamed: {told}"
        assert all(entry in told for entry in plan.entries), case
        assert bool(plan.holds) <= (not plan.writes), case
    return losses


def mirrors(k: Kernel, cases: Iterable[Case]) -> None:
    """With the sides' names exchanged everywhere, the same symbols win."""
    for case in cases:
        straight, mirrored = merged(k, case)[0], merged(k, case, mirror=True)[0]
        assert as_symbols(k, straight) == as_symbols(k, mirrored, mirror=True), case


def settles(k: Kernel, cases: Iterable[Case]) -> None:
    """Written and echoed, a decision needs no second one: not with the new bases, and not with the old ones, when the answer was lost.

    A side may be without a word for some consent, but no side shortens one: those cases are left out.
    """
    for case in cases:
        if case.lossy and case.setting == "most_restrictive":
            continue
        decision, field, base, now = merged(k, case)
        if decision is None or decision.held:
            continue
        native = natives(k, now)
        for side, value in decision.writes.items():
            native[side] = {**native[side], **field.lenses[side].put(value, native[side])}
        shown = {side: field.lenses[side].get(native[side]) for side in native}
        assert k.merge.merge_field(field, shown, shown, evidence(k, case.order), native) is None, case
        again = k.merge.merge_field(field, base, shown, evidence(k, case.order), native)
        assert again is None or not (again.writes or again.held), f"{case}: {decision} and then {again}"
