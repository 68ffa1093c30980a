"""Staging: upserts, partial reads, tombstones, stale reads, cursors, sweeps."""

from __future__ import annotations

from dataclasses import replace

from state.store import SyncStore
from syncline.cursor import Cursor
from syncline.plan import SideState
from syncline.records import Proof
from tests.state.people import commit, decide, linked, plan_for, seen


def the_one(sync: SyncStore) -> SideState:
    [contact] = decide(sync)
    return contact.sides["crm"]


def test_a_page_and_its_cursor_are_stored_together(sync: SyncStore) -> None:
    assert sync.cursor("crm") is None
    assert sync.stage("crm", [seen("c1"), seen("c2", "bob")], Cursor(7, "c2", "more")) == 2
    assert sync.cursor("crm") == Cursor(7, "c2", "more")
    assert set(sync.digests("crm", ["c1", "c2", "c3"])) == {"c1", "c2"}
    assert sync.digests("marketing", ["c1"]) == {}


def test_polls_go_on_where_they_stood_before_a_listing_that_is_not_believed(sync: SyncStore) -> None:
    sync.stage("crm", (), Cursor(7, "c2"))
    for place in ("page 1", "page 2"):
        sync.stage("crm", (), Cursor(0, token=place))
    sync.go_back("crm", Cursor(9))
    assert sync.cursor("crm") == Cursor(7, "c2")
    sync.go_back("crm")
    assert sync.cursor("crm") == Cursor(7, "c2"), "no listing is under way"


def test_a_first_listing_that_is_not_believed_is_made_again(sync: SyncStore) -> None:
    sync.go_back("crm")
    sync.stage("marketing", (), Cursor(0, token="page 1"))
    sync.go_back("marketing")
    assert sync.cursor("crm") is sync.cursor("marketing") is None


def test_a_first_listing_that_was_not_whole_is_still_where_polls_go_on(sync: SyncStore) -> None:
    """What it left out is met by the next sweep; a vendor that never counts right would be listed for ever."""
    sync.go_back("crm", Cursor(9))
    sync.stage("marketing", (), Cursor(0, token="page 1"))
    sync.go_back("marketing", Cursor(9))
    assert sync.cursor("crm") == sync.cursor("marketing") == Cursor(9)


def test_a_listing_that_ended_leaves_no_older_place_behind(sync: SyncStore) -> None:
    for cursor in (Cursor(7), Cursor(0, token="page 1"), Cursor(20), Cursor(0, token="page 1")):
        sync.stage("crm", (), cursor)
    sync.go_back("crm")
    assert sync.cursor("crm") == Cursor(20)


def test_a_name_that_a_read_in_part_did_not_ask_for_keeps_its_value(sync: SyncStore) -> None:
    sync.stage("crm", [seen("c1", name="Ann")])
    sync.stage("crm", [replace(seen("c1", at_us=101, fields={"email": "new@people.example"}), digest=None)])
    assert the_one(sync).seen == {"email": "new@people.example", "name": "Ann", "tags": ["a", "b"]}


def test_a_name_that_a_whole_read_left_out_is_unknown(sync: SyncStore) -> None:
    sync.stage("crm", [seen("c1", name="Ann")])
    sync.stage("crm", [seen("c1", at_us=101, fields={"email": "new@people.example"})])
    assert the_one(sync).seen == {"email": "new@people.example"}


def test_shown_null_is_not_the_same_as_not_shown(sync: SyncStore) -> None:
    sync.stage("crm", [seen("c1", name="Ann")])
    sync.stage("crm", [seen("c1", at_us=101, fields={"email": "ann@people.example", "name": None})])
    assert the_one(sync).seen["name"] is None


def test_a_record_that_is_gone_keeps_what_it_last_showed(sync: SyncStore) -> None:
    contact = linked(sync)
    sync.stage("crm", [seen("c-ann", at_us=None, fields={}, liveness="gone")])
    [found] = decide(sync)
    assert (found.contact_id, found.sides["crm"].liveness) == (contact, "gone")
    assert found.sides["crm"].seen["name"] == "Ann"


def test_an_older_read_moves_nothing(sync: SyncStore) -> None:
    sync.stage("crm", [seen("c1", name="New", at_us=200)])
    assert sync.stage("crm", [seen("c1", name="Old", at_us=199)]) == 0
    assert the_one(sync).seen["name"] == "New"


def test_an_older_read_counts_when_forced_or_when_life_has_changed(sync: SyncStore) -> None:
    sync.stage("crm", [seen("c1", name="New", at_us=200)])
    assert sync.stage("crm", [seen("c1", name="Old", at_us=199)], force=True) == 1
    assert the_one(sync).seen["name"] == "Old"
    assert sync.stage("crm", [seen("c1", at_us=100, fields={}, liveness="archived")]) == 1


def test_twice_in_one_page_ends_with_the_newer(sync: SyncStore) -> None:
    sync.stage("crm", [seen("c1", name="New", at_us=200), seen("c1", name="Old", at_us=199)])
    assert the_one(sync).seen["name"] == "New"


def test_staging_again_keeps_link_and_base_and_makes_it_dirty(sync: SyncStore) -> None:
    contact = linked(sync)
    assert decide(sync) == []
    sync.stage("crm", [seen("c-ann", name="Anna", at_us=200)])
    [found] = decide(sync)
    assert found.contact_id == contact
    assert found.sides["crm"].seen["name"] == "Anna"
    assert found.sides["crm"].shadow is not None
    assert found.sides["crm"].shadow["name"] == "Ann"


def test_an_edit_staged_after_the_plan_stays_dirty(sync: SyncStore) -> None:
    """A plan that waited for approval must not clear what it never saw."""
    run_id = sync.begin_run("sync", 1)
    sync.stage("crm", [seen("c1")])
    [contact] = decide(sync)
    sync.save_plan(run_id, 0, [plan_for(contact)])
    sync.stage("crm", [seen("c1", name="Edited", at_us=300)])
    for number, plans in sync.plan_chunks(run_id):
        sync.commit_chunk(run_id, number, plans, "v1", 5, lambda n: [b"k" * 32] * n)
    assert sync.status().dirty == 1


def test_a_sweep_finds_what_it_did_not_meet(sync: SyncStore) -> None:
    sync.stage("crm", [seen(f"c{n}", f"p{n}") for n in range(5)])
    sync.begin_sweep("crm")
    sync.stage("crm", [], Cursor(9), swept=["c0", "c2"])
    sync.stage("crm", [], Cursor(9), swept=["c2", "c4"])
    assert sync.unswept("crm", "", 1) == ["c1"]
    assert sync.unswept("crm", "c1", 5) == ["c3"]
    sync.begin_sweep("crm")
    assert len(sync.unswept("crm", "", 9)) == 5
    assert sync.live_count("crm") == 5


def test_a_listing_remembers_over_its_runs_what_it_showed_going_back(sync: SyncStore) -> None:
    sync.stage("crm", [seen("c1", at_us=200), seen("c2", at_us=200)])
    sync.begin_sweep("crm")
    sync.stage("crm", [seen("c1", at_us=100)], Cursor(9, token="page 2"), swept=["c1"])
    sync.stage("crm", [seen("c2", at_us=300)], Cursor(9), swept=["c2"])
    assert sync.listed_older("crm") == ["c1"]
    sync.stage("crm", [seen("c2", at_us=100)], Cursor(9), swept=[])  # a page of dead records lists nobody alive
    sync.stage("crm", [seen("c2", at_us=100)])  # no listing
    assert sync.listed_older("crm") == ["c1", "c2"]
    sync.begin_sweep("crm")
    assert sync.listed_older("crm") == []


def test_links_are_answered_and_the_newest_version_is_known(sync: SyncStore) -> None:
    contact = linked(sync)
    sync.stage("crm", [seen("c-ann", at_us=200, version="v7")])
    loaded = sync.load_contact(contact)
    assert loaded is not None and loaded.sides["crm"].version == "v7"
    assert sync.contact_by("crm", "c-ann") == contact
    assert sync.find_contact("ann@people.example") == [contact]
    assert sync.linked_count() == 1


def test_a_change_of_mapping_forgets_bases_and_cursors_and_is_logged(sync: SyncStore) -> None:
    contact = linked(sync)
    sync.stage("crm", [], Cursor(9))
    sync.adopt_mapping("v2", "name: contacts", None, 50)
    assert (sync.mapping_version(), sync.mapping_text("v2"), sync.cursor("crm")) == ("v2", "name: contacts", None)
    assert sync.digests("crm", ["c-ann"]) == {}
    found = sync.load_contact(contact)
    assert found is not None
    assert found.sides["crm"].shadow is None
    assert [row.entry.new for row in sync.entries(field="mapping")] == ["v2"]


def test_a_plan_that_does_nothing_leaves_the_record_unlinked_and_clean(sync: SyncStore) -> None:
    run_id = sync.begin_run("sync", 1)
    sync.stage("crm", [seen("c1")])
    [contact] = decide(sync)
    commit(sync, run_id, [replace(plan_for(contact), entries=(), writes=())])
    assert (decide(sync), sync.status().contacts, sync.contact_by("crm", "c1")) == ([], {}, None)


def test_schemas_and_runs(sync: SyncStore) -> None:
    assert sync.schema_json("crm") is None
    sync.save_schema("crm", "{}", 5)
    sync.save_schema("crm", '{"a":1}', 6)
    assert sync.schema_json("crm") == ('{"a":1}', 6)
    first, second = sync.begin_run("sync", 1), sync.begin_run("sweep", 2)
    sync.end_run(first, "done", {"read": 3}, "fine", 9)
    assert [run.id for run in sync.runs(5)] == [second, first]
    done = sync.run(first)
    assert done is not None
    assert (done.status, done.counts, done.ended_us, sync.run(99)) == ("done", {"read": 3}, 9, None)


def test_consent_proof_and_field_times_come_back(sync: SyncStore) -> None:
    sync.stage("crm", [seen("c1", proof=Proof("form", 5), field_times_us={"name": 3}, version="v")])
    found = the_one(sync)
    assert (found.proof, found.field_times_us, found.version) == (Proof("form", 5), {"name": 3}, "v")


def test_a_run_that_never_said_how_it_ended_has_died(sync: SyncStore) -> None:
    first = sync.begin_run("sync", 1)
    second = sync.begin_run("sync", 2)
    assert [(run.id, run.status) for run in sync.runs()] == [(second, "running"), (first, "died")]


def test_who_was_merged_away_and_shows_up_in_a_list_is_looked_up(sync: SyncStore) -> None:
    """However new what it shows: the survivor told us of the merge, and an index may show what the loser was before."""
    sync.stage("crm", [seen("c1", at_us=100), seen("c2", at_us=100)])
    sync.stage("crm", [seen("c2", at_us=100, liveness="merged", merged_into="c1")])
    shown = [seen("c1", at_us=300), seen("c2", at_us=300)]
    assert sync.doubtful("crm", shown) == shown[1:]


def test_who_is_told_to_be_merged_away_is_as_old_as_when_last_shown(sync: SyncStore) -> None:
    """Some vendors show nothing of such a record by id: an older list must not take the place of what it had said last."""
    sync.stage("crm", [seen("c1", at_us=300)])
    sync.stage("crm", [seen("c1", at_us=None, fields={}, liveness="merged", merged_into="c2")])
    late = seen("c1", at_us=200, liveness="merged", merged_into="c2")
    assert sync.older("crm", [late]) == [late]
