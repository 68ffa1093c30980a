"""What a history with simulated vendors came to, in words that are the same however often the program died."""

from __future__ import annotations

from collections import Counter
from typing import Any

from flows.settings import read_checkpoints
from state.log import LogRow
from syncline.log import fold
from syncline.records import SIDES
from tests.crashes.doomed import Doomed, Stuck
from tests.crashes.truth import facts, folded
from tests.simulation.vendor import Rec

RETRIED = ("moved", "failed")
"""Results of a write that was not carried out, because the world was no longer as it was decided on: the next entry says what was."""

REFUSALS = ("Rejected", "ConsentRefused", "AlreadyExists")
"""What a vendor refuses is tried again, and noted, by every sweep; and who has died sweeps once more."""


def sides(world: Doomed) -> dict[str, Counter[str]]:
    """Both vendors as they truly are, and what waits."""
    found = {side: facts(_record(rec) for rec in world.vendors[side]) for side in SIDES}
    return found | {"holds": facts([hold.field, hold.code] for hold in world.engine().sync.holds())}


def end(world: Doomed) -> dict[str, Counter[str]]:
    """All that can be compared at rest; what needs no comparison is checked."""
    sync = world.engine().sync
    report = sync.verify(read_checkpoints(world.engine().checkpoints, sync.name))
    rows = list(sync.entries())
    if not report.ok or sync.outbox_size() or any(row.result == "pending" for row in rows):
        raise Stuck(f"not whole: {report.problems}, {sync.outbox_size()} rows in the outbox")
    effects = [
        [side, effect.op, effect.who, effect.field, effect.after]
        for side in SIDES for effect in world.vendors[side].effects if effect.engine
    ]  # fmt: skip
    return sides(world) | {"effects": facts(effects), "folded": folded(row.entry for row in rows), "log": _log(world, rows)}


def _record(rec: Rec) -> list[Any]:
    return [rec.who, rec.life, dict(rec.fields), rec.proof and rec.proof.source]


def _log(world: Doomed, rows: list[LogRow]) -> Counter[str]:
    """Every entry but receipts, by person instead of by contact. How often a refused write was tried in vain is no matter."""
    owners = {contact: _who(world, folded.refs) for contact, folded in fold(row.entry for row in rows).items()}
    told = [row for row in rows if row.entry.kind != "receipt" and not row.result.startswith(RETRIED) and not _is_tried_anew(row)]
    said = [([owners.get(row.entry.contact_id), *_said(row)], _is_refused(row)) for row in told]
    once = facts(item for item, refused in said if refused)
    return facts(item for item, refused in said if not refused) + Counter(dict.fromkeys(once, 1))


def _is_refused(row: LogRow) -> bool:
    refused = row.entry.kind == "hold" and row.entry.rule in REFUSALS
    return refused or (row.entry.kind == "change" and row.result.partition(":")[2] in REFUSALS)


def _is_tried_anew(row: LogRow) -> bool:
    """Whether what waited was let go for another try: whether it waits in the end is compared by itself."""
    return row.entry.kind == "release" and row.entry.rule in REFUSALS


def _who(world: Doomed, refs: dict[Any, str]) -> int | None:
    return next((rec.who for side, ref in refs.items() if (rec := world.vendors[side].get(ref)) is not None), None)


def _said(row: LogRow) -> list[Any]:
    entry, new = row.entry, row.entry.new
    if entry.kind in ("create", "link"):
        new = [sorted(new["refs"]), new["view"]]
    elif entry.kind in ("rebind", "merge"):
        new = None
    return [entry.kind, entry.field, entry.side, entry.old if entry.kind == "change" else None, new, entry.rule, entry.to, row.result]
