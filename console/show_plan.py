"""A plan as a person reads it: who would be created, linked, changed, archived or held, field by field and why. `rounds` uses it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import typer

from console.show import document, heading, plural, value
from syncline.conflict import TITLE
from syncline.log import Entry
from syncline.plan import ContactPlan, Hold, Write
from syncline.records import Side

GROUPS = {
    "creates": "New on one side", "links": "Linked", "changes": "Changed", "archives": "Archived or parted", "holds": "Held for a person",
}  # fmt: skip
ENDS = frozenset({"archive", "unlink", "delete"})


def matters(plan: ContactPlan) -> bool:
    """Whether anything at all would happen to this contact."""
    return bool(plan.entries or plan.writes or plan.holds)


def group_of(plan: ContactPlan) -> str:
    """The one heading a contact stands under: the gravest thing that would happen to it."""
    kinds = {entry.kind for entry in plan.entries}
    if kinds & ENDS or any(write.kind == "archive" for write in plan.writes):
        return "archives"
    if "create" in kinds:
        return "creates"
    if "link" in kinds:
        return "links"
    return "changes" if plan.entries else "holds"


def name_of(plan: ContactPlan) -> str:
    """Who it is: an address when there is one, else the records' ids."""
    email = plan.view.get("email")
    return str(email) if email else ", ".join(f"{side} {ref}" for side, ref in plan.refs.items())


@dataclass(slots=True)
class Gathered:
    """A plan's contacts under their headings: how many there are, and the first of them."""

    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, list[ContactPlan]] = field(default_factory=dict)


def gather(plans: Iterable[ContactPlan], limit: int) -> Gathered:
    """Count all, keep `limit` of each group: a plan may hold millions."""
    found = Gathered()
    for plan in filter(matters, plans):
        name = group_of(plan)
        found.counts[name] += 1
        if found.counts[name] <= limit:
            found.first.setdefault(name, []).append(plan)
    return found


@dataclass(frozen=True, slots=True)
class Shown:
    """A plan to be shown: of which run, its sums, the limits it would exceed, its contacts (read once, as they stream)."""

    run_id: int
    totals: Mapping[str, int]
    trips: tuple[str, ...]
    contacts: Iterable[ContactPlan]


def show(plan: Shown, file: str, limit: int, head: Mapping[str, Any] | None) -> None:
    """For programs when `head` is given (then every contact follows it), else for people."""
    if head is not None:
        document({**head, "contacts": [as_dict(each) for each in plan.contacts if matters(each)]})
        return
    gathered = gather(plan.contacts, limit)
    for name, title in GROUPS.items():
        if not gathered.counts[name]:
            continue
        heading(f"{title}: {plural(gathered.counts[name], 'contact')}")
        for each in gathered.first[name]:
            typer.echo("\n".join(lines(each)))
        if more := gathered.counts[name] - len(gathered.first[name]):
            typer.echo(f"  … and {more:,} more (--limit shows more, --json all)")
    _totals(plan, file)


def _totals(plan: Shown, file: str) -> None:
    totals = ", ".join(f"{count:,} {name}" for name, count in sorted(plan.totals.items()) if count)
    heading(f"In all: {totals or 'nothing to do'}")
    for trip in plan.trips:
        typer.echo(f"would stop at the guard: {trip}")
    if plan.trips:
        typer.echo(f"If this is right: syncline sync {file} --approve {plan.run_id}")
    elif totals:
        typer.echo(f"To do it: syncline sync {file}")


def lines(plan: ContactPlan) -> Iterator[str]:
    """One contact: its name, then a line for each thing that would happen."""
    yield f"  {name_of(plan)}  (contact {plan.contact_id})"
    for entry in plan.entries:
        yield f"    {entry_line(entry)}"
    for hold in plan.holds:
        yield f"    {hold_line(hold)}"


def entry_line(entry: Entry) -> str:
    """One entry of plan or log on one line: what, before → after, where to, why."""
    to = f" in {' and '.join(TITLE[side] for side in entry.to)}" if entry.to else ""
    why = (
        f"  [{entry.rule}: {entry.reason}]"
        if entry.rule and entry.reason
        else f"  [{entry.reason or entry.rule}]"
        if entry.reason or entry.rule
        else ""
    )
    if entry.kind == "change" and entry.field:
        return f"{entry.field}: {value(entry.old)} → {value(entry.new)}{to}{why}"
    if entry.kind in ("create", "link") and isinstance(entry.new, dict):
        shown = ", ".join(f"{name} {value(each)}" for name, each in entry.new.get("view", {}).items())
        return f"{entry.kind}{to}: {shown}{why}" if entry.kind == "create" else f"{entry.kind}{why}"
    act = "archive" if (entry.kind, entry.field, entry.rule) == ("change", None, "merged") else entry.kind
    return f"{act}{' ' + entry.field if entry.field else ''}{to}{why}"


def hold_line(hold: Hold) -> str:
    """One hold on one line."""
    return f"held {hold.field or 'whole'}{_at(hold.side)}: {hold.reason}  [{hold.code}]"


def _at(side: Side | None) -> str:
    return f" ({TITLE[side]})" if side else ""


def as_dict(plan: ContactPlan) -> dict[str, Any]:
    """The plan of one contact for programs, whole."""
    return {
        "contact": plan.contact_id, "new": plan.new, "group": group_of(plan), "refs": dict(plan.refs), "state": plan.state,
        "entries": [entry_dict(entry) for entry in plan.entries],
        "writes": [_write_dict(write) for write in plan.writes],
        "holds": [{"code": h.code, "field": h.field, "side": h.side, "reason": h.reason} for h in plan.holds],
        "totals": dict(plan.totals),
    }  # fmt: skip


def _write_dict(write: Write) -> dict[str, Any]:
    after = {**write.fields, **write.consent}
    return {"side": write.side, "kind": write.kind, "ref": write.ref, "before": dict(write.expect), "after": after}


def entry_dict(entry: Entry) -> dict[str, Any]:
    """One entry for programs."""
    return {
        "kind": entry.kind, "field": entry.field, "side": entry.side, "ref": entry.ref, "old": entry.old, "new": entry.new,
        "to": list(entry.to), "rule": entry.rule, "evidence": entry.evidence, "reason": entry.reason,
    }  # fmt: skip
