"""HubSpot's own ways, read over real HTTP from its twin: windows, lag, listings, schemas, calls."""

from typing import Any

import pytest

from connectors.hubspot import HubSpot
from sandbox.handles import Twin
from syncline.errors import Unreachable
from tests.connectors.hubspot_twin import FIELDS, hubspot, running, seed, twin

__all__ = ["hubspot", "running", "twin"]

SEARCH = "POST /crm/v3/objects/contacts/search"


def load(twin: Twin, stamps_ms: list[int]) -> None:
    """Contacts straight into the twin's memory, with these stamps."""
    start = twin.state.next_id
    rows = [({"email": f"x{start + n}@people.example"}, ms, ms) for n, ms in enumerate(stamps_ms)]
    twin.state.load(rows, set())


def caught_up(hubspot: HubSpot) -> Any:
    return list(hubspot.pull("contacts", FIELDS, None))[-1].cursor


def test_nothing_changed_costs_one_call(hubspot: HubSpot, twin: Twin) -> None:
    cursor = caught_up(hubspot)
    twin.reset_calls()
    assert [page.records for page in hubspot.pull("contacts", FIELDS, cursor)] == [[]]
    assert twin.calls()["calls"] == {SEARCH: 1}


@pytest.mark.parametrize("spread_ms", [0, 1, 37])
def test_more_rows_than_a_search_shows_are_all_seen(hubspot: HubSpot, twin: Twin, spread_ms: int) -> None:
    cursor = caught_up(hubspot)
    now_ms = cursor.at_us // 1000
    load(twin, [now_ms + n * spread_ms // 10 for n in range(10_450)])
    pages = list(hubspot.pull("contacts", FIELDS, cursor))
    assert {r.ref for page in pages for r in page.records} == {row["id"] for row in twin.records()}
    assert twin.calls()["by_status"] == {"200": twin.calls()["total"]}
    stamps = [page.cursor.at_us for page in pages]
    assert stamps == sorted(stamps)


def test_a_long_poll_resumes_where_a_window_was_done(hubspot: HubSpot, twin: Twin) -> None:
    cursor = caught_up(hubspot)
    load(twin, [cursor.at_us // 1000 + n * 100 for n in range(12_000)])
    twin.clock(advance_s=1_200)
    pages = list(hubspot.pull("contacts", FIELDS, cursor))
    half = next(n for n, page in enumerate(pages) if page.cursor.at_us > cursor.at_us and n < len(pages) - 1)
    rest = list(hubspot.pull("contacts", FIELDS, pages[half].cursor))
    assert {r.ref for page in (*pages[: half + 1], *rest) for r in page.records} == {row["id"] for row in twin.records()}
    assert len(rest) < len(pages)


def test_editing_while_we_read_hides_nobody(hubspot: HubSpot, twin: Twin) -> None:
    cursor = caught_up(hubspot)
    refs = [seed(twin, n) for n in range(450)]
    reading = hubspot.pull("contacts", FIELDS, cursor)
    pages = [next(reading)]
    for ref in (refs[5], refs[210], refs[440]):
        twin.edit("update", id=ref, fields={"firstname": "Edited"})
    twin.edit("delete", id=refs[100])
    pages += list(reading)
    assert {r.ref for page in pages for r in page.records} == set(refs)
    again = {r.ref: r for page in hubspot.pull("contacts", FIELDS, pages[-1].cursor) for r in page.records}
    assert again[refs[5]].fields["firstname"] == "Edited"


def test_a_row_that_shows_up_late_is_seen_by_the_next_poll(hubspot: HubSpot, twin: Twin) -> None:
    cursor = caught_up(hubspot)
    twin.faults(lag_s=6)
    late = seed(twin, 1)
    twin.clock(advance_s=3)
    (page,) = hubspot.pull("contacts", FIELDS, cursor)
    assert page.records == []
    twin.clock(advance_s=60)
    (page,) = hubspot.pull("contacts", FIELDS, page.cursor)
    assert [r.ref for r in page.records] == [late]


def test_the_cursor_is_the_vendors_time(hubspot: HubSpot, twin: Twin) -> None:
    twin.clock(advance_s=-420)
    cursor = caught_up(hubspot)
    assert -424_000_000 < hubspot.clock_offset_us < -416_000_000
    ref = seed(twin, 1)
    (page,) = hubspot.pull("contacts", FIELDS, cursor)
    assert [r.ref for r in page.records] == [ref]


def test_more_properties_than_a_search_body_holds(hubspot: HubSpot, twin: Twin) -> None:
    cursor = caught_up(hubspot)
    refs = [seed(twin, n) for n in range(150)]
    many = (*FIELDS, *(f"a_property_with_a_long_name_{n}" for n in range(100)))
    (page,) = hubspot.pull("contacts", many, cursor)
    assert [(r.ref, r.fields["firstname"]) for r in page.records] == [(ref, f"F{n}") for n, ref in enumerate(refs)]


def test_a_full_listing_has_the_archived_and_not_the_merged(hubspot: HubSpot, twin: Twin) -> None:
    refs = [seed(twin, n) for n in range(4)]
    twin.edit("delete", id=refs[0])
    survivor = twin.edit("merge", winner=refs[1], loser=refs[2])
    records = {r.ref: r for page in hubspot.pull("contacts", FIELDS, None) for r in page.records}
    assert {ref: r.liveness for ref, r in records.items()} == {refs[0]: "archived", refs[3]: "live", survivor: "live"}
    assert set(records[survivor].absorbed) == {refs[1], refs[2]}


def test_who_is_restored_while_we_list_is_not_taken_for_absent(hubspot: HubSpot, twin: Twin) -> None:
    refs = [seed(twin, n) for n in range(120)]
    twin.edit("delete", id=refs[0])
    listing = hubspot.pull("contacts", FIELDS, None)
    pages = [next(listing)]
    twin.edit("restore", id=refs[0])
    pages += list(listing)
    assert {r.ref for page in pages for r in page.records} == set(refs)
    assert pages[-1].complete


def test_an_answer_with_nothing_in_it_is_no_proof_of_absence(hubspot: HubSpot, twin: Twin) -> None:
    ref = seed(twin, 1)
    twin.faults(on="batch/read", kind="empty")
    with pytest.raises(Unreachable):
        list(hubspot.read("contacts", FIELDS, [ref]))


def test_describe_knows_choices_sets_owners_and_consent(hubspot: HubSpot) -> None:
    schema = hubspot.describe("contacts")
    kinds = {
        name: schema.fields[name].type for name in ("email", "phone", "marketing_tags", "is_test", "hubspot_owner_id", "date_of_birth")
    }
    assert kinds == {
        "email": "email",
        "phone": "phone",
        "marketing_tags": "set",
        "is_test": "boolean",
        "hubspot_owner_id": "owner",
        "date_of_birth": "date",
    }
    assert schema.fields["lifecyclestage"].options[:2] == ("subscriber", "lead")
    assert (schema.fields["hs_email_optout"].consent, schema.fields["hs_email_optout"].writable) == (True, True)
    assert not schema.fields["lastmodifieddate"].writable
    assert schema.owners["71001"] == "aoife.byrne@people.example"


def test_check_names_missing_scopes(hubspot: HubSpot, twin: Twin) -> None:
    assert hubspot.check().missing_scopes == ()
    twin.faults(scopes=["crm.objects.contacts.read"])
    assert "crm.objects.contacts.write" in hubspot.check().missing_scopes
