"""One contact explained: what each side shows, what was agreed, who changed it last, which rule holds and what happens next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from console.show import ago, heading, iso, table, value
from console.show_plan import entry_line, hold_line
from flows.settings import now_us
from syncline.conflict import TITLE
from syncline.mapping import Field, Rule
from syncline.merge import read_field
from syncline.plan import Contact, ContactPlan
from syncline.planner import plan_contact
from syncline.records import MISSING, SIDES, Side

if TYPE_CHECKING:
    from console.opener import Opened
    from state.log import LogRow


def as_dict(opened: Opened, contact_id: int) -> dict[str, Any]:
    """Everything there is to say about one linked contact."""
    contact = opened.sync.load_contact(contact_id)
    assert contact is not None, "contact_ids answers with contacts that are there"
    plan = plan_contact(opened.mapping, contact, opened.traits())
    last = _last(opened, contact_id)
    holds = opened.sync.holds(contact_id=contact_id)
    return {
        "contact": contact_id, "state": contact.state, "sides": {side: _side(contact, side) for side in SIDES},
        "fields": [_field(field, contact, plan, last) for field in opened.mapping.fields],
        "next": [*(entry_line(entry) for entry in plan.entries), *(hold_line(hold) for hold in plan.holds)],
        "holds": [{"field": h.field, "code": h.code, "reason": h.reason, "since": iso(h.opened_us)} for h in holds],
    }  # fmt: skip


def _side(contact: Contact, side: Side) -> dict[str, Any] | None:
    state = contact.sides.get(side)
    return None if state is None else {"ref": state.ref, "liveness": state.liveness, "modified": iso(state.modified_us)}


def _last(opened: Opened, contact_id: int) -> dict[str, LogRow]:
    """Field → the newest entry that set it."""
    found: dict[str, LogRow] = {}
    for row in opened.sync.entries(contact_id=contact_id, ascending=True):
        if row.entry.kind == "change" and row.entry.field:
            found[row.entry.field] = row
        elif row.entry.kind in ("create", "link") and isinstance(row.entry.new, Mapping):
            found |= dict.fromkeys(row.entry.new["view"], row)
    return found


def _field(field: Field, contact: Contact, plan: ContactPlan, last: Mapping[str, LogRow]) -> dict[str, Any]:
    row = last.get(field.name)
    following = [entry_line(e) for e in plan.entries if e.field == field.name] + [hold_line(h) for h in plan.holds if h.field == field.name]
    return {
        "field": field.name,
        "now": {side: _read(field, side, contact, "seen") for side in SIDES},
        "shadow": {side: _read(field, side, contact, "shadow") for side in SIDES},
        "agreed": contact.view.get(field.name),
        "rule": in_words(field),
        "last": None if row is None else _last_dict(row),
        "next": following,
    }


def _last_dict(row: LogRow) -> dict[str, Any]:
    entry = row.entry
    source = f"from {TITLE[entry.side]}: " if entry.side else ""
    why = f"{entry.kind}, {entry.reason}" if entry.kind != "change" else f"{source}{entry.reason}"
    return {"seq": row.seq, "at": iso(row.at_us), "at_us": row.at_us, "run": row.run_id, "side": entry.side, "rule": entry.rule, "why": why}


def _read(field: Field, side: Side, contact: Contact, which: str) -> Any:
    """The canonical value, or what is wrong with it; None when nobody showed it."""
    state = contact.sides.get(side)
    got, error = read_field(field, side, getattr(state, which) if state else None)
    return f"(cannot be read: {error})" if error else None if got is MISSING else got


def in_words(field: Field) -> str:
    """A field's direction and conflict rule, as an admin would say them."""
    if field.create_only:
        return f"{field.direction.replace('_', ' ')}, when a record is created"
    if field.direction != "both":
        return f"read from {TITLE['marketing' if field.direction == 'to_crm' else 'crm']} only"
    return rule_in_words(field.rule)


def rule_in_words(rule: Rule) -> str:
    """What happens when both sides changed."""
    order = " < ".join(rule.order)
    back = f"; only {TITLE[rule.may_regress]} may step back" if rule.may_regress else ""
    then = f"; then {rule_in_words(rule.then)}" if rule.then else ""
    return {
        "prefer": f"{TITLE[rule.side or 'crm']} wins",
        "newest": f"the later change wins, {TITLE[rule.tie]} a tie",
        "fill_blank": f"a value beats a blank{then}",
        "furthest": f"the furthest wins: {order}{back}",
        "most_restrictive": f"the most restrictive wins: {order}; never widened without proof",
        "union": "what either side adds stays, what either removes goes",
        "hold": "a person decides",
    }[rule.name]


def tell(told: dict[str, Any]) -> None:
    """Print it: the two records, a row a field, what waits, what comes next."""
    heading(f"Contact {told['contact']}, {told['state']}")
    for side, state in told["sides"].items():
        typer.echo(
            f"  {side:<10} "
            + (
                "no record"
                if state is None
                else f"{state['ref']}, {state['liveness']}, changed {state['modified'] or 'at an unknown time'}"
            )
        )
    heads = ("field", "CRM", "marketing", "agreed", "last set", "when both change")
    table(heads, [_row(field) for field in told["fields"]])
    for hold in told["holds"]:
        typer.echo(f"  waits since {hold['since']}: {hold['field'] or 'the whole contact'}: {hold['reason']}  [{hold['code']}]")
    typer.echo("Next run, as both sides were last seen:" if told["next"] else "Next run: nothing to do, as both sides were last seen")
    for line in told["next"]:
        typer.echo(f"  {line}")


def _row(field: dict[str, Any]) -> list[str]:
    last = field["last"]
    told = "" if last is None else f"{last['why']} ({ago(last['at_us'], now_us())}, run {last['run']}, #{last['seq']})"
    both = [_shown(field, side) for side in SIDES]
    return [field["field"], *both, value(field["agreed"]), told, field["rule"]]


def _shown(field: dict[str, Any], side: Side) -> str:
    """The value now, and the one it is compared with when that differs."""
    now, shadow = field["now"][side], field["shadow"][side]
    return value(now) if now == shadow else f"{value(now)}\n(was {value(shadow)})"
