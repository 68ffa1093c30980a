"""One contact explained: what each side shows, what was agreed, who changed it last, which rule holds and what happens next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import typer

from console.show import ago, heading, iso, table, value
from console.show_next import decided, outlook, shown
from flows.settings import now_us
from state.status import Standing
from syncline.conflict import TITLE
from syncline.mapping import Field, Rule
from syncline.plan import Contact
from syncline.planner import plan_contact
from syncline.records import SIDES, Side

if TYPE_CHECKING:
    from console.opener import Opened
    from state.log import LogRow


CARRIED = ("agreed", "applied")
"""Results of entries that both sides follow; any other write is under way, failed, held or overtaken."""


def as_dict(opened: Opened, contact_id: int) -> dict[str, Any]:
    """Everything to say about one linked contact. `next`: what the next run does; `later`: what is decided once `waits` is over."""
    contact = opened.sync.load_contact(contact_id)
    assert contact is not None, "contact_ids answers with contacts that are there"
    anew = opened.sync.mapping_version() not in (None, opened.mapping.version)
    if anew:  # then nothing agreed is a base, and everybody is decided
        contact = replace(contact, sides={side: replace(state, shadow=None) for side, state in contact.sides.items()})
    plan = plan_contact(opened.mapping, contact, opened.traits())
    holds = opened.sync.holds(contact_id=contact_id)
    lines = list(decided(plan, contact, opened.mapping))
    standing = opened.sync.standing_of(contact_id)
    following = outlook(Standing(0, ()) if anew else standing, [line for _, line in lines], bool(holds), opened.now_us())
    last, agreed = _history(opened, contact)
    coming = [(name, line) for name, line in lines if line in following["next"]]
    return {
        "contact": contact_id, "state": contact.state, "merged_into": standing.merged_into,
        "sides": {side: _side(contact, side) for side in SIDES},
        "fields": [_field(field, contact, agreed, last, coming) for field in opened.mapping.fields],
        **following,
        "holds": [{"field": h.field, "code": h.code, "reason": h.reason, "since": iso(h.opened_us)} for h in holds],
    }  # fmt: skip


def _side(contact: Contact, side: Side) -> dict[str, Any] | None:
    state = contact.sides.get(side)
    return None if state is None else {"ref": state.ref, "liveness": state.liveness, "modified": iso(state.modified_us)}


def _history(opened: Opened, contact: Contact) -> tuple[dict[str, LogRow], dict[str, Any]]:
    """Field → the newest entry that set it, and field → the newest value that no write still owes, or was refused, to a side."""
    last: dict[str, LogRow] = {}
    kept: dict[str, Any] = {}
    for row in opened.sync.entries(contact_id=contact.contact_id, ascending=True):
        values = _set_by(row)
        last |= dict.fromkeys(values, row)
        kept |= values if row.result in CARRIED else {}
    agreed = {name: value for name, value in contact.view.items() if name not in last or last[name].result in CARRIED}
    return last, kept | agreed


def _set_by(row: LogRow) -> Mapping[str, Any]:
    """Field → value, of one entry."""
    entry = row.entry
    if entry.kind == "change" and entry.field:
        return {entry.field: entry.new}
    return dict(entry.new["view"]) if entry.kind in ("create", "link") and isinstance(entry.new, Mapping) else {}


def _field(
    field: Field, contact: Contact, agreed: Mapping[str, Any], last: Mapping[str, LogRow], coming: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    row = last.get(field.name)
    return {
        "field": field.name,
        "now": {side: shown(field, side, state.seen) if (state := contact.sides.get(side)) else None for side in SIDES},
        "shadow": {side: shown(field, side, state.shadow) if (state := contact.sides.get(side)) else None for side in SIDES},
        "agreed": agreed.get(field.name),
        "rule": in_words(field),
        "last": None if row is None else _last_dict(row),
        "next": [line for name, line in coming if name == field.name],
    }


def _last_dict(row: LogRow) -> dict[str, Any]:
    entry = row.entry
    source = f"from {TITLE[entry.side]}: " if entry.side else ""
    why = f"{entry.kind}, {entry.reason}" if entry.kind != "change" else f"{source}{entry.reason}"
    return {
        "seq": row.seq, "at": iso(row.at_us), "at_us": row.at_us, "run": row.run_id, "side": entry.side, "rule": entry.rule, "why": why,
        "result": row.result,
    }  # fmt: skip


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
    heading(f"Contact {told['contact']}, {told['state']}{_and_now(told)}")
    for side, state in told["sides"].items():
        typer.echo(
            f"  {side:<10} "
            + (
                "no record"
                if state is None
                else f"{state['ref']}, {state['liveness']}, changed {state['modified'] or 'at an unknown time'}"
            )
        )
    if told["state"] == "erased":
        return
    heads = ("field", "CRM", "marketing", "agreed", "last set", "when both change")
    table(heads, [_row(field) for field in told["fields"]])
    for hold in told["holds"]:
        typer.echo(f"  waits since {hold['since']}: {hold['field'] or 'the whole contact'}: {hold['reason']}  [{hold['code']}]")
    typer.echo("Next run, as both sides were last seen:" if told["next"] else "Next run: nothing to do, as both sides were last seen")
    if told["waits"]:
        typer.echo(f"It {told['waits']}; then:")
    for line in told["next"] or told["later"]:
        typer.echo(f"  {line}")


def _and_now(told: Mapping[str, Any]) -> str:
    """What is left of a contact that is none any more."""
    if told["state"] == "erased":
        return f": no value of this person is kept; that things happened is in the log (--contact {told['contact']})"
    return f" into contact {told['merged_into']}: explain that one" if told["state"] == "merged" and told["merged_into"] else ""


def _row(field: dict[str, Any]) -> list[str]:
    last = field["last"]
    told = "" if last is None else f"{last['why']} ({ago(last['at_us'], now_us())}, run {last['run']}, #{last['seq']}){_result(last)}"
    both = [_shown(field, side) for side in SIDES]
    return [field["field"], *both, value(field["agreed"]), told, field["rule"]]


def _shown(field: dict[str, Any], side: Side) -> str:
    """The value now, and the one it is compared with when that differs."""
    now, shadow = field["now"][side], field["shadow"][side]
    return value(now) if now == shadow else f"{value(now)}\n(was {value(shadow)})"


def _result(last: Mapping[str, Any]) -> str:
    return "" if last["result"] in CARRIED else f" ({last['result']})"
