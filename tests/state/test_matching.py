"""Matching, against a slow oracle that walks the records one by one, and by example."""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass, replace

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from state.echoes import Settled
from state.observations import Observation
from state.store import Store, SyncStore
from syncline.identity import Ambiguous, Candidate, Paired, match
from syncline.log import Entry
from syncline.plan import Hold, Write
from syncline.records import SIDES, Side
from tests.state.people import applied, at_rest, commit, decide, linked, outbox, plan_for, record, seen

_names = itertools.count(1)


@dataclass(frozen=True)
class Person:
    """A record to match. `linked`: "" free, "half" its contact misses the other side, "full" its contact has both."""

    side: Side
    ref: str
    keys: tuple[str | None, str | None]
    linked: str = ""


KEY = st.sampled_from([None, "a", "b", "c", "d"])
PEOPLE = st.lists(
    st.tuples(st.sampled_from(SIDES), KEY, st.sampled_from([None, None, "x", "y"]), st.sampled_from(["", "", "", "half", "full"])),
    max_size=8,
)


def oracle(people: list[Person]) -> tuple[set[tuple[str, str]], set[str], dict[str, str]]:
    """(fresh pairs, waiting refs, joiner → owner), one group after the other, first by the first key and then by the second."""
    pairs: set[tuple[str, str]] = set()
    waiting: set[str] = set()
    joins: dict[str, str] = {}
    owner = {number: person.ref for number, person in enumerate(people, 1)}
    for at in (0, 1):
        taken = waiting | {ref for pair in pairs for ref in pair}
        groups: dict[str, list[Candidate]] = defaultdict(list)
        for number, person in enumerate(people, 1):
            if (key := person.keys[at]) is None:
                continue
            if person.ref in taken:
                groups[key].append(Candidate(person.side, person.ref, -1, True))
            elif person.ref in joins:
                groups[key].append(Candidate(person.side, person.ref, next(n for n, r in owner.items() if r == joins[person.ref]), True))
            else:
                full = person.linked == "full" or person.ref in joins.values()
                groups[key].append(Candidate(person.side, person.ref, number if person.linked else None, full))
        for group in groups.values():
            verdict = match(tuple(group))
            if isinstance(verdict, Ambiguous):
                waiting |= {ref for _, ref in verdict.refs}
            elif isinstance(verdict, Paired) and verdict.contact_id is None:
                pairs.add((verdict.crm_ref, verdict.marketing_ref))
            elif isinstance(verdict, Paired):
                own = owner[verdict.contact_id or 0]
                joins[verdict.marketing_ref if own == verdict.crm_ref else verdict.crm_ref] = own
    return pairs, waiting, joins


def prepare(sync: SyncStore, people: list[Person]) -> None:
    """Link those that are to be linked, while nobody shares a key; then show everybody with the keys they really have."""
    run_id = sync.begin_run("sync", 1)
    for number, person in enumerate(p for p in people if p.linked):
        sync.stage(person.side, [Observation(record(person.ref, person.ref), b"0" * 16, None)])
        [contact] = decide(sync)
        commit(sync, run_id, [plan_for(contact)], number)
        [row] = outbox(sync)
        if person.linked == "full":
            done = applied(row, f"far-{person.ref}")
            sync.settle(run_id, [done.__class__(done.row, "applied", done.ref, done.echo, b"1" * 16)], 5)
        else:
            sync.settle(run_id, [applied(row, f"far-{person.ref}")], 5)
            across: Side = "marketing" if person.side == "crm" else "crm"
            sync.stage(across, [Observation(record(f"far-{person.ref}", at_us=None, fields={}, liveness="gone"), b"2" * 16)])
            at_rest(sync, across, f"far-{person.ref}")
    for side in SIDES:
        sync.stage(side, [Observation(record(p.ref, p.ref, at_us=3_000), b"3" * 16, *p.keys) for p in people if p.side == side])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors])
@given(rows=PEOPLE)
def test_groups_come_out_as_the_slow_oracle_says(store: Store, rows: list[tuple[Side, str | None, str | None, str]]) -> None:
    people = [Person(side, f"{side[0]}{n}", (one, two), link) for n, (side, one, two, link) in enumerate(rows)]
    sync = store.sync(f"s{next(_names)}", log_key=b"s" * 32)
    prepare(sync, people)
    pairs, waiting, joins = oracle(people)
    summary = sync.match_records(9, None)
    assert {hold.ref for hold in sync.holds(code="Ambiguous")} == waiting
    owners = {ref: sync.contact_by(p.side, ref) for p in people for ref in [p.ref]}
    assert {ref: owners[own] for ref, own in joins.items()} == {p.ref: owners[p.ref] for p in people if not p.linked and owners[p.ref]}
    fresh = [c for c in decide(sync) if c.state == "new"]
    assert {(c.sides["crm"].ref, c.sides["marketing"].ref) for c in fresh if len(c.sides) == 2} == pairs
    assert (summary.paired, summary.ambiguous) == (len(pairs) + len(joins), len(waiting))
    assert sync.verify().problems == ()


def test_an_ambiguity_waits_and_is_released_when_its_cause_goes(sync: SyncStore) -> None:
    sync.stage("crm", [seen("c1"), seen("c2")])
    sync.stage("marketing", [seen("m1")])
    assert sync.match_records(1, None).ambiguous == 3
    assert decide(sync) == []
    assert sync.match_records(2, None).ambiguous == 3
    assert [row.entry.kind for row in sync.entries()] == ["hold"] * 3
    sync.stage("crm", [seen("c2", at_us=None, fields={}, liveness="gone")])
    summary = sync.match_records(3, None)
    assert (summary.paired, summary.ambiguous, sync.holds()) == (1, 0, [])
    assert [row.entry.kind for row in sync.entries()] == ["hold"] * 3 + ["release"] * 3
    [contact] = decide(sync)
    assert {side: state.ref for side, state in contact.sides.items()} == {"crm": "c1", "marketing": "m1"}


def test_a_link_holds_although_another_record_matches_better_now(sync: SyncStore) -> None:
    contact = linked(sync)
    sync.stage("marketing", [seen("m-ann", "changed", at_us=200)])
    sync.stage("marketing", [seen("m-new", "ann")])
    assert sync.match_records(5, None).paired == 0
    assert (sync.contact_by("marketing", "m-ann"), sync.contact_by("marketing", "m-new")) == (contact, None)


def _ended(sync: SyncStore) -> int:
    """Ann's contact after she was deleted in the CRM, and archived in marketing for that."""
    contact_id = linked(sync)
    for side in SIDES:
        sync.stage(side, [seen(f"{side[0]}-ann", at_us=200, liveness="archived")])
    [contact] = decide(sync)
    run_id = sync.begin_run("sync", 2)
    commit(sync, run_id, [replace(plan_for(contact), state="deleted", entries=(Entry("archive", contact_id),))])
    return contact_id


def _waits_for_its_record(sync: SyncStore, ref: str) -> int:
    """A contact of marketing's `ref` whose record across could not be made yet."""
    run_id = sync.begin_run("sync", 3)
    sync.stage("marketing", [seen(ref, at_us=300)])
    sync.match_records(3, run_id)
    [contact] = decide(sync)
    commit(sync, run_id, [plan_for(contact)])
    [row] = outbox(sync)
    sync.settle(run_id, [Settled(row, "failed:Unreachable", retry_at_us=9_000_000)], 5)
    return contact.contact_id


def test_who_comes_back_joins_the_contact_that_was_made_anew_meanwhile(sync: SyncStore) -> None:
    old = _ended(sync)
    new = _waits_for_its_record(sync, "m-new")
    assert new != old
    sync.stage("crm", [seen("c-ann", at_us=400)])
    assert sync.match_records(6, None).paired == 1
    assert (sync.contact_by("crm", "c-ann"), sync.contact_by("marketing", "m-new"), sync.contact_by("marketing", "m-ann")) == (
        new,
        new,
        old,
    )
    assert [(row.entry.kind, row.entry.contact_id) for row in sync.entries()][-2:] == [("rebind", old), ("link", new)]
    assert sync.verify().problems == ()


def test_who_is_about_to_be_archived_takes_nobody_in(sync: SyncStore) -> None:
    """The archive is on its way: who joined that record now would be alone when it is done."""
    ann = linked(sync, "ann")
    sync.stage("crm", [seen("c-ann", at_us=200, liveness="archived")])
    [contact] = decide(sync)
    archive = Write("marketing", "archive", "m-ann")
    plan = replace(plan_for(contact, view=dict(contact.view), writes=[archive]), state="deleted", shadows={})
    commit(sync, sync.begin_run("sync", 3), [plan])
    sync.stage("crm", [seen("c-new", "ann", at_us=300)])
    assert sync.match_records(6, None).paired == 0 and sync.contact_by("crm", "c-new") is None
    assert sync.contact_by("marketing", "m-ann") == ann


def test_a_create_waits_while_its_record_may_be_there_already(sync: SyncStore) -> None:
    other_ann = linked(sync, "bob")
    ann = _waits_for_its_record(sync, "m-ann")
    sync.stage("crm", [seen("c-bob", "ann", at_us=200)])  # Bob's record in the CRM shows Ann's address by now
    at_rest(sync, "crm", "c-bob")
    sync.stage("crm", [seen("c-ann", at_us=400)])
    sync.match_records(6, None)
    assert {hold.ref for hold in sync.holds(code="Ambiguous")} == {"c-ann", "m-ann"} and decide(sync, 10_000_000) == []
    sync.stage("crm", [seen("c-bob", "bob", at_us=500)])
    assert sync.match_records(7, None).paired == 1 and sync.holds() == []
    assert {sync.contact_by("crm", ref) for ref in ("c-ann", "c-bob")} == {ann, other_ann}


def test_who_comes_back_stays_where_two_could_be_meant(sync: SyncStore) -> None:
    old = _ended(sync)
    _waits_for_its_record(sync, "m-new")
    linked(sync, "bob")
    _forget_partner(sync, "m-bob")
    sync.stage("crm", [seen("c-ann", at_us=400)])
    assert sync.match_records(6, None).paired == 0
    assert sync.contact_by("crm", "c-ann") == old


def _forget_partner(sync: SyncStore, ref: str) -> None:
    """Marketing's `ref` shows Ann's address now, and its record across is not there."""
    sync.stage("marketing", [seen(ref, at_us=500)])
    with sync._scope.write() as connection:
        connection.execute(sa.text("DELETE FROM record WHERE ref = 'c-bob'"))


def test_the_log_says_nothing_personal_of_a_record_without_a_contact(sync: SyncStore) -> None:
    sync.stage("crm", [seen("hash-of-ann"), seen("c2")])
    sync.match_records(1, None)
    assert {(row.entry.ref, row.entry.side) for row in sync.entries()} == {(None, "crm")}
    assert {hold.ref for hold in sync.holds()} == {"hash-of-ann", "c2"}


def test_pages_are_the_same_however_long_they_are(sync: SyncStore) -> None:
    sync.stage("crm", [seen(f"c{n}", f"p{n}") for n in range(7)])
    sync.stage("marketing", [seen(f"m{n}", f"p{n}") for n in range(3, 9)])
    sync.match_records(1, None)
    long, short = decide(sync, limit=100), decide(sync, limit=1)
    assert long == short
    assert [contact.contact_id for contact in long] == list(range(1, 10))
    assert sum(len(contact.sides) == 2 for contact in long) == 4


def test_a_record_that_waits_under_one_key_is_not_paired_by_another(sync: SyncStore) -> None:
    sync.stage("crm", [seen("c1", "ann", key_2="x"), seen("c2", "ann")])
    sync.stage("marketing", [seen("m1", "bob", key_2="x")])
    assert sync.match_records(1, None).paired == 0
    assert {hold.ref for hold in sync.holds()} == {"c1", "c2", "m1"}
    assert decide(sync) == []


def test_nobody_joins_a_contact_that_was_merged_away(sync: SyncStore) -> None:
    linked(sync, "ann"), linked(sync, "bob")
    sync.stage("crm", [seen("c-ann", at_us=200, absorbed=("c-bob",))])
    for merge in sync.merges():
        sync.apply_merge(merge, None, 50)
    sync.stage("crm", [seen("c-late", "bob")])
    summary = sync.match_records(60, None)
    assert (summary.paired, summary.ambiguous, sync.contact_by("crm", "c-late")) == (0, 1, None)


@pytest.mark.parametrize("end", ["deleted", "merged away", "joined"])
def test_what_waited_with_an_unlinked_record_is_released_when_it_dies_or_finds_a_contact(sync: SyncStore, end: str) -> None:
    ann, late = linked(sync), Hold("Required", "it has no name", "name", "crm")
    for number, ref in enumerate(("c-eve", "c-bob")):
        sync.stage("crm", [seen(ref, ref[2:], at_us=200)])
        [contact] = decide(sync)
        commit(sync, sync.begin_run("sync", 2), [replace(plan_for(contact), entries=(), writes=(), holds=(late,))], number)
    sync.match_records(250, 2)
    assert [hold.ref for hold in sync.holds()] == ["c-eve", "c-bob"]
    match end:
        case "deleted":
            sync.stage("crm", [seen("c-bob", "bob", at_us=300, liveness="gone")])
        case "merged away":
            sync.stage("crm", [seen("c-ann", at_us=300, absorbed=("c-bob",))])
            for merge in sync.merges():
                sync.apply_merge(merge, None, 300)
        case "joined":
            sync.stage("crm", [seen("c-ann", at_us=None, fields={}, liveness="gone"), seen("c-bob", at_us=300)])
    summary = sync.match_records(301, 3)
    assert (summary.paired, sync.contact_by("crm", "c-bob")) == (end == "joined", None if end == "deleted" else ann)
    assert [hold.ref for hold in sync.holds()] == ["c-eve"]
    [release] = [row for row in sync.entries() if row.entry.kind == "release"]
    assert (release.run_id, release.entry.rule, release.entry.field, release.entry.ref) == (3, "Required", "name", None)
    sync.match_records(302, 4)
    assert sync.open_holds() == 1 and sync.verify().problems == ()
