"""What an echo makes of a written record's row, and what callers of `settle` say became of a write. Pure.

Only names that we sent enter the shadow of an updated record: anything else that the echo shows and that differs is somebody's edit, and
makes the record dirty instead. An echo older than what we know moves nothing but the shadow.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from state import codec
from state.database import Row
from state.outbox import OutboxRow
from syncline.plan import Hold
from syncline.ports import Kind
from syncline.records import MISSING, Liveness, Native, Record, value

APPLIED = "applied"

_KEPT: Mapping[Kind, Liveness] = {"archive": "archived", "restore": "live"}
"""What an archived or restored record is from then on, whatever its echo says."""

_BLANK: tuple[object, ...] = (None, "", [], ())


@value
class Settled:
    """What became of one outbox row. `result`: "applied", "moved", "held:<error>" or "failed:<error>".

    `ref`: the record written, if new or changed; `echo`, `digest`, `keys`, `text`: what it shows, as for an observation. `holds`: opened on
    the contact, each for its own reason; those of fields say that these are not applied, though the rest may be. `left_out`: canonical
    fields that show something else, to be judged again, though the rest is applied. `retry_at_us`: not to be decided again before that.
    """

    row: OutboxRow
    result: str
    ref: str | None = None
    echo: Record | None = None
    digest: bytes | None = None
    keys: tuple[str | None, str | None] = (None, None)
    text: str = ""
    holds: tuple[Hold, ...] = ()
    retry_at_us: int | None = None
    left_out: tuple[str, ...] = ()
    found: bool = False

    @property
    def waits(self) -> bool:
        """Only a person, a change or a sweep brings it up again: a poisoned record is not sent in every run."""
        return bool(self.holds) and self.retry_at_us is None


def shown(sync_id: int, settled: Settled, ref: str, mine: Row | None, there: Row | None) -> Row:
    """The written record's row as the echo shows it. `mine`: the row of the record written to; `there`: of the one that answered."""
    row, echo = settled.row, settled.echo
    # A create may bring back a record that somebody else's contact has left behind. Unless it is shown, nothing of that is known any more.
    old = None if row.kind == "create" and echo is None else there or mine
    if old is None:
        return _first(sync_id, settled, ref)
    base: Row = dict(old) | {
        "sync_id": sync_id, "ref": ref, "contact_id": row.contact_id, "attempts": 0, "retry_at_us": None, "pair_ref": None,
        "digest": settled.digest,
    }  # fmt: skip
    if ref == row.ref:
        base["contact_id"] = old["contact_id"]  # the record of a contact that was merged into this one stays with it
    if row.kind in _KEPT:
        base["liveness"] = codec.LIVENESS_NO[_KEPT[row.kind]]
    if row.kind == "restore":
        base["dirty"] = 1  # what changed while it was away is merged now that it is back
    if echo is None:
        return base
    late = None not in (old["modified_us"], echo.modified_us) and echo.modified_us < old["modified_us"]
    fields = echo.fields
    shadow, moved = _shadow(row, fields, mine or old, settled.found)
    base["dirty"] = 1 if late or moved or (row.kind != "create" and base["dirty"] == 1) else 0
    if late:  # the digest too must stay that of what we know, or nobody would notice that the vendor has gone back
        base |= {"shadow": codec.dumps(dict(shadow)), "digest": old["digest"]}
        return base
    seen = codec.native(old["seen"], f"record {row.side}/{ref}, seen") | dict(fields.items())
    base |= {
        "seen": codec.dumps(seen), "shadow": _text(shadow, seen), "modified_us": echo.modified_us, "version": echo.version,
        "proof": codec.proof_text(echo.proof) or base["proof"],
    }  # fmt: skip
    if settled.keys != (None, None):
        base |= {"key_1": settled.keys[0], "key_2": settled.keys[1]}
    if row.kind not in _KEPT:
        base["liveness"] = codec.LIVENESS_NO[echo.liveness]
    if echo.field_times_us:
        base["field_times"] = codec.dumps(echo.field_times_us)
    return base


def _first(sync_id: int, settled: Settled, ref: str) -> Row:
    """The row of a record of which nothing is known but what its echo shows, if there is one: said at once, for births are many."""
    row, echo = settled.row, settled.echo or Record(ref, {})
    shadow, moved = _shadow(row, echo.fields, None, settled.found) if settled.echo else (None, False)
    return {
        "sync_id": sync_id, "side": codec.SIDE_NO[row.side], "ref": ref, "contact_id": row.contact_id, "digest": settled.digest,
        "key_1": settled.keys[0], "key_2": settled.keys[1],
        "seen": settled.text or codec.dumps(dict(echo.fields)), "shadow": shadow if shadow is None else _text(shadow, echo.fields),
        "liveness": codec.LIVENESS_NO[_KEPT.get(row.kind, echo.liveness)], "modified_us": echo.modified_us, "version": echo.version,
        "proof": codec.proof_text(echo.proof), "field_times": codec.dumps(echo.field_times_us) if echo.field_times_us else None,
        "dirty": 1 if moved or row.kind == "restore" else 0, "staged": 0, "attempts": 0, "retry_at_us": None, "pair_ref": None,
    }  # fmt: skip


def _text(shadow: Native, seen: Native) -> str:
    return codec.AS_SEEN if len(shadow) == len(seen) and shadow == seen else codec.dumps(dict(shadow))


@lru_cache(maxsize=512)
def _beyond(shown: tuple[str, ...], fields: tuple[str, ...], consent: tuple[str, ...]) -> tuple[str, ...]:
    """Names that are shown and were not sent. Cached: a mapping's records come with few sets of names."""
    return tuple(name for name in shown if name not in fields and name not in consent)


def _shadow(row: OutboxRow, fields: Native, old: Row | None, found: bool) -> tuple[Native, bool]:
    """(shadow after the write, whether the echo shows something that is not ours: an edit, or a value the vendor gave a new record)."""
    unsent = _beyond(tuple(fields), tuple(row.fields), tuple(row.consent))
    if row.kind == "create" or old is None:
        # Consent is written apart, after the birth: what the record does not show is no agreement, and is judged again. So is any
        # field of a record that was only found later: somebody may have edited it since.
        meant = {**row.fields, **row.consent} if found else row.consent
        unheard = {name for name, value in meant.items() if not _shows(fields.get(name, value), value)}
        if not unheard and not unsent:
            return fields, False
        ours = {name: value for name, value in fields.items() if name not in unheard and name not in unsent}
        return ours, bool(unheard) or any(fields[name] not in _BLANK for name in unsent)
    where = f"record {row.side}/{old['ref']}"
    seen = codec.native(old["seen"], f"{where}, seen")
    shadow = shadow_of(old, where)
    if row.kind != "restore":  # there the base stays: a stricter consent that went along is agreed, and logged, in the next round
        shadow |= {name: value for name, value in fields.items() if name not in unsent} | row.untold.get(row.side, {})
    return shadow, any(seen.get(name, MISSING) != fields[name] for name in unsent)


def answered(row: Row, untold: Native) -> str | None:
    """The base of a record whose part of a write on both sides was answered before; None when it was not."""
    where = f"record {row['ref']}"
    shadow, seen = shadow_of(row, where), codec.native(row["seen"], f"{where}, seen")
    told = all(shadow.get(name) == base for name, base in untold.items())
    return codec.dumps(shadow | {name: seen[name] for name in untold if name in seen}) if told else None


def shadow_of(row: Row, where: str) -> Row:
    return {} if row["shadow"] is None else codec.native(codec.shadow(row["shadow"], row["seen"]), f"{where}, shadow")


def _shows(shown: Any, sent: Any) -> bool:
    """A vendor may say "true" for our True, null for our empty text, and a list for our tuple."""
    if shown == sent:
        return True
    one, two = (list(v) if isinstance(v, tuple) else "" if v is None else v for v in (shown, sent))
    return bool(one == two) or str(one).lower() == str(two).lower()
