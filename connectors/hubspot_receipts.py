"""What HubSpot's batch answers say of each change: its echo, or its error. No I/O. Only `hubspot*` import it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from connectors.hubspot_shapes import Answer, Row, instant_us, text
from syncline.errors import AlreadyExists, OutcomeUnknown, RateLimited, Rejected, SyncError, Vanished
from syncline.ports import Change, Receipt
from syncline.records import Record

EXISTING = re.compile(r"Existing ID: (\d+)")
Problem = Mapping[str, Any]


def receipts_of(answer: Answer[dict[str, Any]], batch: Sequence[Change], fields: tuple[str, ...]) -> Iterator[Receipt]:
    """Results and problems come in any order: by trace id, else by record id, else by address."""
    by_trace = {row.objectWriteTraceId: row for row in answer.results if row.objectWriteTraceId}
    by_id = {row.id: row for row in answer.results}
    by_address = {row.properties.get("email"): row for row in answer.results if row.properties.get("email")}
    problems = [(refused_keys(problem, batch), problem) for problem in answer.errors]
    for change in batch:
        row = by_trace.get(change.key) or (
            by_id.get(change.ref) if change.ref else by_address.get(text(change.fields.get("email")).lower())
        )
        problem = next((problem for keys, problem in problems if change.key in keys), None)
        if row and not problem:
            yield Receipt(change.key, row.id, _echo(row, change, fields))
        else:
            yield Receipt(change.key, change.ref, error=problem_of(problem, change) if problem else untold())


def _echo(row: Row[dict[str, Any]], change: Change, fields: tuple[str, ...]) -> Record | None:
    """What the answer shows of the asked fields; None, so that it is read back, if it does not show one that was written."""
    shown = row.properties
    if any(name not in shown for name, value in change.fields.items() if change.ref or text(value)):
        return None
    found = {name: shown[name] for name in fields if name in shown}
    return Record(row.id, found, instant_us(row.updatedAt) if row.updatedAt else None)


def untold() -> SyncError:
    return OutcomeUnknown("HubSpot's answer does not say what became of this change")


def refused_keys(problem: Problem, batch: Sequence[Change]) -> set[str]:
    """The keys of the changes a problem is about: by trace id, by record id, or because there is only one. Empty when it does not say."""
    context = problem.get("context") or {}
    traces, ids = set(context.get("objectWriteTraceId", ())), set(context.get("ids", ()))
    named = {change.key for change in batch if change.key in traces or (change.ref and change.ref in ids)}
    return named or ({batch[0].key} if len(batch) == 1 else set())


def problem_of(problem: Problem, change: Change) -> SyncError:
    """The error of one change. What the vendor does not explain may have been written."""
    judge = _CATEGORIES.get(problem.get("category", ""))
    return judge(problem, change) if judge else OutcomeUnknown("HubSpot failed on this contact without saying why")


def _conflict(problem: Problem, change: Change) -> SyncError:
    found = EXISTING.search(problem.get("message", ""))
    if change.kind == "create":
        return AlreadyExists("HubSpot: another contact has this address", ref=found.group(1) if found else None)
    return Rejected("HubSpot: another contact has this address", field="email", detail=problem.get("message", ""))


def _invalid(problem: Problem, change: Change) -> SyncError:
    field = next(iter(_properties(problem)), None)
    return Rejected(f"HubSpot refused {field or 'this contact'}", field=field, detail=problem.get("message", "")[:500])


def _properties(problem: Problem) -> list[str]:
    contexts = [problem.get("context") or {}, *((error.get("context") or {}) for error in problem.get("errors") or ())]
    return [name for context in contexts if isinstance(context, dict) for name in context.get("propertyName", ())]


_CATEGORIES: Mapping[str, Callable[[Problem, Change], SyncError]] = {
    "OBJECT_NOT_FOUND": lambda problem, change: Vanished("HubSpot: the contact is not there any more"),
    "CONFLICT": _conflict,
    "OBJECT_ALREADY_EXISTS": _conflict,
    "VALIDATION_ERROR": _invalid,
    "RATE_LIMITS": lambda problem, change: RateLimited("HubSpot asked to wait with this contact"),
}
