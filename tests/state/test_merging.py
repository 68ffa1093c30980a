"""Vendors' merges: from the survivor's list or the loser's pointer, chains, winners, losers' records."""

from __future__ import annotations

import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from state.echoes import Settled
from state.merging import Merge, choose_winner, survivors
from state.store import SyncStore
from syncline.plan import Hold
from tests.state.people import applied, at_rest, commit, decide, linked, outbox, plan_for, seen

REFS = st.sampled_from(["a", "b", "c", "d", "e"])


def merge_all(sync: SyncStore) -> None:
    for merge in sync.merges():
        sync.apply_merge(merge, None, 50)


def test_the_survivors_own_contact_wins_and_keeps_its_link(sync: SyncStore) -> None:
    ann, bob = linked(sync, "ann"), linked(sync, "bob")
    sync.stage("crm", [seen("c-ann", at_us=200, absorbed=("c-bob", "never-seen"))])
    [merge] = sync.merges()
    assert (merge.survivor, merge.absorbed, merge.winner, merge.losers) == ("c-ann", ("c-bob",), ann, (bob,))
    sync.apply_merge(merge, None, 50)
    [contact] = decide(sync)
    assert contact.contact_id == ann
    assert [state.ref for state in contact.losers["marketing"]] == ["m-bob"]
    loser = sync.load_contact(bob)
    assert loser is not None
    assert loser.state == "merged"
    assert [row.entry.kind for row in sync.entries(contact_id=bob)][-1] == "merge"
    assert sync.verify().problems == ()


def test_it_is_applied_once(sync: SyncStore) -> None:
    linked(sync, "ann"), linked(sync, "bob")
    sync.stage("crm", [seen("c-ann", at_us=200, absorbed=("c-bob",))])
    merge_all(sync)
    assert sync.merges() == []
    sync.stage("crm", [seen("c-ann", at_us=300, absorbed=("c-bob",))])
    assert sync.merges() == []


def test_a_pointer_to_a_survivor_we_never_saw_waits_undecided(sync: SyncStore) -> None:
    ann = linked(sync, "ann")
    sync.stage("crm", [seen("c-ann", at_us=None, fields={}, liveness="merged", merged_into="c-new")])
    assert (sync.merges(), decide(sync), sync.missing_survivors("crm")) == ([], [], ["c-new"])
    sync.stage("crm", [seen("c-new", "ann", at_us=200)])
    [merge] = sync.merges()
    assert (merge.winner, merge.losers) == (ann, ())
    sync.apply_merge(merge, None, 50)
    assert (sync.missing_survivors("crm"), sync.contact_by("crm", "c-new")) == ([], ann)
    [rebind] = [row.entry for row in sync.entries(contact_id=ann) if row.entry.kind == "rebind"]
    assert (rebind.old, rebind.new) == ("c-ann", "c-new")
    sync.match_records(60, None)
    [contact] = decide(sync)
    assert contact.sides["crm"].ref == "c-new"
    assert sync.verify().problems == ()


def test_a_chain_ends_at_its_last_survivor(sync: SyncStore) -> None:
    ann, bob, eve = (linked(sync, who) for who in ("ann", "bob", "eve"))
    gone = {"at_us": None, "fields": {}, "liveness": "merged"}
    sync.stage("crm", [seen("c-bob", merged_into="c-ann", **gone), seen("c-ann", merged_into="c-eve", **gone)])
    merge_all(sync)
    assert [c.state if (c := sync.load_contact(i)) else None for i in (ann, bob, eve)] == ["merged", "merged", "active"]
    winner = sync.load_contact(eve)
    assert winner is not None
    assert sorted(state.ref for state in winner.losers["marketing"]) == ["m-ann", "m-bob"]


def test_a_survivor_that_had_gone_on_before_we_heard_of_it_is_followed(sync: SyncStore) -> None:
    """An index may show the second of two merges first."""
    ann, bob = linked(sync, "ann"), linked(sync, "bob")
    sync.stage("crm", [seen("c-new", "ann", at_us=200), seen("c-ann", at_us=200, liveness="merged", merged_into="c-new")])
    merge_all(sync)
    at_rest(sync, "crm", "c-ann")
    sync.stage("crm", [seen("c-bob", "bob", at_us=300, liveness="merged", merged_into="c-ann")])
    [merge] = sync.merges()
    assert (merge.survivor, merge.absorbed, merge.winner, merge.losers) == ("c-new", ("c-bob",), ann, (bob,))
    sync.apply_merge(merge, None, 50)
    assert sync.contact_by("crm", "c-new") == ann and sync.merges() == [] and sync.verify().problems == ()


def test_a_later_merge_of_the_winner_takes_its_losers_along(sync: SyncStore) -> None:
    linked(sync, "ann"), linked(sync, "bob")
    eve = linked(sync, "eve")
    sync.stage("crm", [seen("c-ann", at_us=200, absorbed=("c-bob",))])
    merge_all(sync)
    sync.stage("crm", [seen("c-eve", "eve", "Eve", at_us=300, absorbed=("c-ann",))])
    merge_all(sync)
    winner = sync.load_contact(eve)
    assert winner is not None
    assert sorted(state.ref for state in winner.losers["marketing"]) == ["m-ann", "m-bob"]


def test_what_changes_on_a_losers_record_is_the_winners_affair(sync: SyncStore) -> None:
    ann = linked(sync, "ann")
    linked(sync, "bob")
    sync.stage("crm", [seen("c-ann", at_us=200, absorbed=("c-bob",))])
    merge_all(sync)
    at_rest(sync, "crm", "c-ann")
    at_rest(sync, "marketing", "m-ann")
    sync.stage("marketing", [seen("m-bob", "bob", "Robert", at_us=300)])
    sync.match_records(60, None)
    [contact] = decide(sync)
    assert (contact.contact_id, contact.losers["marketing"][0].seen["name"]) == (ann, "Robert")


def test_who_wins() -> None:
    assert choose_winner(7, "k", {3: "k", 5: None}) == 7
    assert choose_winner(None, "k", {3: None, 5: "k", 9: "k"}) == 5
    assert choose_winner(None, None, {5: None, 3: None}) == 3
    assert choose_winner(None, "k", {}) is None


@given(st.dictionaries(REFS, REFS))
def test_every_loser_ends_in_a_survivor_that_is_no_loser_unless_they_form_a_ring(pointers: dict[str, str]) -> None:
    ended = survivors(pointers)
    for survivor, losers in ended.items():
        for loser in losers:
            assert survivor != loser
            at, steps = loser, 0
            while at != survivor:
                at, steps = pointers[at], steps + 1
                assert steps <= len(pointers)
    rings = {s for s in ended if s in pointers}
    assert all(_in_ring(pointers, ref) for ref in rings)


def _in_ring(pointers: dict[str, str], ref: str) -> bool:
    at = pointers[ref]
    for _ in pointers:
        if at == ref or at not in pointers:
            break
        at = pointers[at]
    return at == ref or at in pointers


def test_a_winner_that_another_merge_has_just_ended_is_followed(sync: SyncStore) -> None:
    ann, bob, cay = (linked(sync, who) for who in ("ann", "bob", "cay"))
    for side, survivor, absorbed, winner, loser in (("crm", "c-ann", "c-bob", ann, bob), ("marketing", "m-bob", "m-cay", bob, cay)):
        sync.apply_merge(Merge(side, survivor, (absorbed,), winner, (loser,)), None, 9)
    merged = [(row.entry.contact_id, row.entry.new["into"]) for row in sync.entries() if row.entry.kind == "merge"]
    assert merged == [(bob, ann), (cay, ann)] and sync.verify().problems == ()


def test_a_survivor_that_went_the_same_way_itself_goes_to_its_heir(sync: SyncStore) -> None:
    """A late index shows it for the first time, when its heir is known already: nobody is made for it."""
    ann = linked(sync, "ann")
    sync.stage("crm", [seen("c-heir", "heir", at_us=300, absorbed=("c-mid", "c-ann"))])
    merge_all(sync)
    sync.match_records(310, None)
    at_rest(sync, "crm", "c-heir")
    sync.stage("crm", [seen("c-mid", "mid", at_us=200, absorbed=("c-ann",))])
    merge_all(sync)
    sync.match_records(320, None)
    assert [contact.contact_id for contact in decide(sync)] == [ann]
    with sync._scope.read() as connection:
        gone = connection.execute(sa.text("SELECT ref, merged_into FROM record WHERE liveness = 3 ORDER BY ref")).all()
    assert ("c-mid", "c-heir") in [tuple(row) for row in gone]


def test_what_a_survivor_replaces_is_nobodys_should_it_come_back(sync: SyncStore) -> None:
    """The contact's own record there was deleted: restored later, it is no second record of the contact that has the survivor."""
    ann, bob, cay = (linked(sync, who) for who in ("ann", "bob", "cay"))
    sync.stage("marketing", [seen("m-ann", at_us=200, absorbed=("m-bob",)), seen("m-cay", at_us=200, liveness="archived")])
    merge_all(sync)
    sync.stage("crm", [seen("c-ann", at_us=200, liveness="archived"), seen("c-bob", "bob", at_us=210, absorbed=("c-cay",))])
    merge_all(sync)
    assert [sync.contact_by("crm", ref) for ref in ("c-ann", "c-bob")] == [None, ann]
    assert [contact.state for contact in map(sync.load_contact, (bob, cay)) if contact] == ["merged", "merged"]
    assert sync.verify().problems == ()


def _alone(sync: SyncStore, who: str) -> int:
    """A contact that the CRM alone has; its create is in the outbox."""
    sync.stage("crm", [seen(f"c-{who}", who)])
    sync.match_records(1_000, None)
    [contact] = decide(sync)
    commit(sync, sync.begin_run("sync", 2), [plan_for(contact)])
    return contact.contact_id


def test_a_survivor_that_nobody_could_be_made_for_joins_the_contact_that_has_somebody(sync: SyncStore) -> None:
    ann, bob = linked(sync, "ann"), _alone(sync, "bob")
    refused = Hold("AlreadyExists", "this address is taken", side="marketing")
    sync.settle(2, [Settled(row, "held:AlreadyExists", holds=(refused,)) for row in outbox(sync)], 9)
    sync.stage("crm", [seen("c-bob", "bob", at_us=200, absorbed=("c-ann",))])
    [merge] = sync.merges()
    assert (merge.winner, merge.losers) == (ann, (bob,))
    sync.apply_merge(merge, None, 50)
    [contact] = decide(sync)
    assert {side: state.ref for side, state in contact.sides.items()} == {"crm": "c-bob", "marketing": "m-ann"}
    assert sync.open_holds() == 0 and sync.verify().problems == ()


def test_a_survivor_that_we_may_have_made_ourselves_is_whose_we_made_it_for(sync: SyncStore) -> None:
    """Its answer was lost, and a person merged another record into it before we asked again."""
    ann, bob = linked(sync, "ann"), _alone(sync, "bob")
    sync.stage("marketing", [seen("m-bob", "bob", at_us=200, absorbed=("m-ann",))])
    [merge] = sync.merges()
    assert (merge.winner, merge.losers) == (bob, (ann,))
    sync.apply_merge(merge, None, 50)
    assert sync.contact_by("marketing", "m-bob") == bob
    [row] = outbox(sync)
    sync.settle(2, [applied(row, "m-bob")], 60)
    assert sync.open_holds() == 0 and sync.verify().problems == ()


def test_a_survivor_whose_partner_is_on_the_way_keeps_it(sync: SyncStore) -> None:
    ann, bob = linked(sync, "ann"), _alone(sync, "bob")
    sync.stage("crm", [seen("c-bob", "bob", at_us=200, absorbed=("c-ann",))])
    [merge] = sync.merges()
    assert (merge.winner, merge.losers) == (bob, (ann,))
