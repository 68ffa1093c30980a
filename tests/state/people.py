"""Invented people, and plans for them as simple as plans can be: what both sides show is taken over whole."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from state import codec
from state.echoes import Settled
from state.observations import Observation
from state.outbox import OutboxRow
from state.store import Store, SyncStore
from syncline.log import Entry
from syncline.plan import Contact, ContactPlan, Hold, Write
from syncline.records import Record, Side

NAMES = ("email", "name", "tags")


def record(ref: str, who: str = "ann", name: str = "Ann", at_us: int = 100, **more: Any) -> Record:
    fields = {"email": f"{who}@people.example", "name": name, "tags": ["a", "b"]}
    return Record(ref, more.pop("fields", fields), modified_us=at_us, **more)


def seen(ref: str, who: str = "ann", name: str = "Ann", at_us: int = 100, key_2: str | None = None, **more: Any) -> Observation:
    read = record(ref, who, name, at_us, **more)
    return Observation(read, digest(read), read.fields.get("email"), key_2)


def digest(read: Record) -> bytes:
    return hashlib.sha256(repr((sorted(read.fields.items()), read.liveness)).encode()).digest()[:16]


def keys(count: int) -> Sequence[bytes]:
    return [number.to_bytes(32, "big") for number in range(1, count + 1)]


def plan_for(contact: Contact, view: dict[str, Any] | None = None, writes: Sequence[Write] = (), holds: Sequence[Hold] = ()) -> ContactPlan:
    """Link two new records, create what is missing across, or take a changed CRM value over."""
    refs = {side: state.ref for side, state in contact.sides.items()}
    shown = dict(next(iter(contact.sides.values())).seen) if view is None else view
    shown["tags"] = tuple(shown.get("tags") or ())
    times = dict.fromkeys(shown, 100)
    shadows = {side: state.seen for side, state in contact.sides.items()}
    if contact.state == "new" and len(refs) == 2:
        entries: tuple[Entry, ...] = (Entry("link", contact.contact_id, new={"refs": refs, "view": shown}, rule="match"),)
    elif contact.state == "new":
        side, across = next(iter(refs)), "marketing" if "crm" in refs else "crm"
        entries = (
            Entry("create", contact.contact_id, None, side, refs[side], None, {"refs": refs, "view": shown}, "create", to=(across,)),
        )
        fields = contact.sides[side].seen
        writes = (Write(across, "create", None, fields, confirms=tuple(fields), entries=(0,)),)
        shadows = {side: {}}
    else:
        changed = [name for name in shown if contact.view.get(name) != shown[name]]
        entries = tuple(
            Entry("change", contact.contact_id, n, "crm", refs["crm"], contact.view.get(n), shown[n], "prefer") for n in changed
        )
    return ContactPlan(
        contact.contact_id,
        contact.state == "new",
        "active",
        refs,
        shown,
        times,
        shadows,
        entries,
        tuple(writes),
        tuple(holds),
        {"creates": len(writes)},
    )


def decide(sync: SyncStore, now_us: int = 1_000, limit: int = 3) -> list[Contact]:
    contacts, at = sync.contacts_to_decide(limit, now_us)
    while at is not None:
        more, at = sync.contacts_to_decide(limit, now_us, at)
        contacts += more
    return contacts


def commit(sync: SyncStore, run_id: int, plans: Sequence[ContactPlan], number: int = 0, now_us: int = 1_000) -> None:
    sync.save_plan(run_id, number, plans)
    [(stored, read)] = [chunk for chunk in sync.plan_chunks(run_id) if chunk[0] == number]
    sync.commit_chunk(run_id, stored, read, "v1", now_us, keys)


def applied(row: OutboxRow, ref: str | None = None, **fields: Any) -> Settled:
    echo = Record(ref or row.ref or "", {**row.fields, **row.consent, **fields}, modified_us=2_000, version="2")
    return Settled(row, "applied", ref or row.ref, echo, digest(echo), (echo.fields.get("email"), None))


def outbox(sync: SyncStore) -> list[OutboxRow]:
    sides: tuple[Side, Side] = ("crm", "marketing")
    return [row for phase in (0, 1) for side in sides for row in sync.claim(phase, side, 100)]


def linked(sync: SyncStore, who: str = "ann", name: str = "Ann") -> int:
    """One contact, live on both sides, settled. Returns its id."""
    run_id = sync.begin_run("sync", 1)
    sync.stage("crm", [seen(f"c-{who}", who, name)])
    sync.stage("marketing", [seen(f"m-{who}", who, name)])
    sync.match_records(1_000, run_id)
    [contact] = decide(sync)
    commit(sync, run_id, [plan_for(contact)])
    return contact.contact_id


def at_rest(sync: SyncStore, side: Side, ref: str) -> None:
    """As a decision without a change would leave the record: nothing to decide."""
    with sync._scope.write() as connection:
        connection.execute(
            sa.text("UPDATE record SET dirty = 0 WHERE sync_id = :s AND side = :side AND ref = :ref"),
            {"s": sync._scope.sync_id, "side": codec.SIDE_NO[side], "ref": ref},
        )


def dump(store: Store) -> str:
    """Every row of every table as text, table `record` last."""
    with store.database.read() as connection:
        names = sorted(sa.inspect(connection).get_table_names(), key=lambda name: (name == "record", name))
        return "\n".join(f"== {name}\n{connection.execute(sa.text(f'SELECT * FROM {name}')).all()}" for name in names)
