"""HubSpot's own ways, over real HTTP to its twin: windows, lag, consent, stages, partial failures, calls."""

from collections.abc import Iterator
from typing import Any

import pytest

from connectors import hubspot_reads
from connectors.http import Rate
from connectors.hubspot import HubSpot
from sandbox.handles import Twin
from sandbox.serve import start_twins
from syncline.errors import AlreadyExists, AuthFailed, ConsentRefused, OutcomeUnknown, Rejected, Unreachable, Vanished
from syncline.ports import Change, Receipt, Settings
from syncline.records import Record

FIELDS = ("email", "firstname", "lastname", "lifecyclestage", "hs_email_optout")
SEARCH = "POST /crm/v3/objects/contacts/search"


@pytest.fixture(scope="module")
def running() -> Iterator[Twin]:
    with start_twins(rate=False) as twins:
        yield twins.hubspot


@pytest.fixture
def twin(running: Twin, monkeypatch: pytest.MonkeyPatch) -> Twin:
    running.reset()
    monkeypatch.setattr(hubspot_reads, "SEARCH_RATE", Rate(1_000_000, 1))
    return running


@pytest.fixture
def hubspot(twin: Twin) -> Iterator[HubSpot]:
    connector = HubSpot(Settings(base_url=twin.url, secrets={"token": twin.token}))
    yield connector
    connector.close()


def keyed(twin: Twin) -> HubSpot:
    return HubSpot(Settings(base_url=twin.url, secrets={"token": twin.token}, options={"create_key_property": "syncline_key"}))


def seed(twin: Twin, n: int, **values: str) -> str:
    return str(twin.edit("create", fields={"email": f"p{n}@people.example", "firstname": f"F{n}", **values}))


def load(twin: Twin, stamps_ms: list[int]) -> None:
    """Contacts straight into the twin's memory, with these stamps."""
    start = twin.state.next_id
    rows = [({"email": f"x{start + n}@people.example"}, ms, ms) for n, ms in enumerate(stamps_ms)]
    twin.state.load(rows, set())


def push(hubspot: HubSpot, *changes: Change) -> dict[str, Receipt]:
    return {receipt.key: receipt for receipt in hubspot.push("contacts", FIELDS, changes)}


def truth(twin: Twin, ref: str) -> dict[str, Any]:
    return next(row for row in twin.records() if row["id"] == ref)


def caught_up(hubspot: HubSpot) -> Any:
    return list(hubspot.pull("contacts", FIELDS, None))[-1].cursor


# ---- reading


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


# ---- writing


def test_writes_cost_a_call_a_hundred(hubspot: HubSpot, twin: Twin) -> None:
    refs = [seed(twin, n) for n in range(250)]
    twin.reset_calls()
    receipts = push(hubspot, *(Change(f"k{n}", "update", ref, {"firstname": "New"}) for n, ref in enumerate(refs)))
    assert all(r.error is None and r.record and r.record.fields == {"firstname": "New"} for r in receipts.values())
    assert twin.calls()["total"] == 3


def test_results_in_another_order_find_their_changes(hubspot: HubSpot, twin: Twin) -> None:
    refs = [seed(twin, n) for n in range(20)]
    twin.faults(shuffle=True)
    receipts = push(hubspot, *(Change(f"k{n}", "update", ref, {"firstname": f"New {n}"}) for n, ref in enumerate(refs)))
    assert [(receipts[f"k{n}"].ref, receipts[f"k{n}"].record.fields["firstname"]) for n in range(20)] == [  # type: ignore[union-attr]
        (ref, f"New {n}") for n, ref in enumerate(refs)
    ]


def test_two_changes_of_one_contact_are_written_in_order(hubspot: HubSpot, twin: Twin) -> None:
    ref = seed(twin, 1)
    receipts = push(hubspot, *(Change(f"k{n}", "update", ref, {"firstname": f"New {n}"}) for n in range(3)))
    assert [receipts[f"k{n}"].error for n in range(3)] == [None] * 3
    assert truth(twin, ref)["firstname"] == "New 2"


def test_a_taken_address_names_the_contact_that_has_it(hubspot: HubSpot, twin: Twin) -> None:
    there, other = seed(twin, 1), seed(twin, 2)
    new = [Change(f"n{n}", "create", fields={"email": f"new{n}@people.example"}) for n in range(3)]
    receipts = push(hubspot, *new, Change("twice", "create", fields={"email": "p1@people.example"}))
    assert isinstance(receipts["twice"].error, AlreadyExists)
    assert receipts["twice"].error.ref == there
    assert [receipts[f"n{n}"].error for n in range(3)] == [None] * 3
    moved = push(hubspot, Change("m", "update", other, {"email": "p1@people.example"}))["m"].error
    assert isinstance(moved, Rejected)
    assert moved.field == "email"
    assert "@" not in str(moved)


def test_a_failed_item_is_unknown_and_its_neighbours_are_done(hubspot: HubSpot, twin: Twin) -> None:
    refs = [seed(twin, n) for n in range(5)]
    twin.faults(on="batch/update", kind="item_error", items=[3])
    receipts = push(hubspot, *(Change(f"k{n}", "update", ref, {"firstname": "New"}) for n, ref in enumerate(refs)))
    assert [type(receipts[f"k{n}"].error) for n in range(5)] == [type(None)] * 3 + [OutcomeUnknown] + [type(None)]


def test_a_vanished_contact_does_not_cost_its_neighbours(hubspot: HubSpot, twin: Twin) -> None:
    refs = [seed(twin, n) for n in range(3)]
    twin.edit("purge", id=refs[1])
    receipts = push(hubspot, *(Change(f"k{n}", "update", ref, {"firstname": "New"}) for n, ref in enumerate(refs)))
    assert [type(receipts[f"k{n}"].error) for n in range(3)] == [type(None), Vanished, type(None)]


@pytest.mark.parametrize("kind", ["timeout_after", "500_after", "timeout_before"])
def test_an_unanswered_write_is_unknown_for_all_of_it(hubspot: HubSpot, twin: Twin, kind: str) -> None:
    twin.faults(hold_s=0.01)
    twin.faults(on="batch/create", kind=kind)
    receipts = push(hubspot, *(Change(f"k{n}", "create", fields={"firstname": f"F{n}"}) for n in range(3)))
    assert {type(r.error) for r in receipts.values()} == {OutcomeUnknown}
    assert len(twin.records()) in (0, 3)


def test_with_a_key_of_its_own_an_unanswered_create_is_repeated_harmlessly(twin: Twin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    twin.faults(hold_s=0)
    twin.faults(on="batch/upsert", kind="timeout_after")
    hubspot = keyed(twin)
    receipts = push(hubspot, *(Change(f"k{n}", "create", fields={"firstname": f"F{n}"}) for n in range(3)))
    assert [r.error for r in receipts.values()] == [None] * 3
    assert sorted(row["syncline_key"] for row in twin.records()) == ["k0", "k1", "k2"]
    assert hubspot.capabilities.create_key == "syncline_key"
    assert [r.ref for r in hubspot.find("contacts", FIELDS, "syncline_key", ["k1"])] == [receipts["k1"].ref]


def test_what_was_done_is_told_before_an_error_ends_the_run(hubspot: HubSpot, twin: Twin) -> None:
    refs = [seed(twin, n) for n in range(900)]
    twin.faults(on="batch/update", kind="expire_token", after=3, times=99)
    told: list[Receipt] = []
    with pytest.raises(AuthFailed):
        for receipt in hubspot.push("contacts", FIELDS, [Change(r, "update", r, {"firstname": "New"}) for r in refs]):
            told.append(receipt)
    assert {r.key for r in told if r.error is None} == {row["id"] for row in twin.records() if row["firstname"] == "New"}
    assert len(told) == 300
    assert twin.calls()["by_status"]["401"] <= hubspot.door.max_connections


def test_a_stage_goes_back_by_way_of_blank(hubspot: HubSpot, twin: Twin) -> None:
    back, on = seed(twin, 1, lifecyclestage="customer"), seed(twin, 2, lifecyclestage="lead")
    twin.reset_calls()
    receipts = push(
        hubspot,
        Change("back", "update", back, {"lifecyclestage": "lead", "firstname": "New"}),
        Change("on", "update", on, {"lifecyclestage": "customer"}),
    )
    assert (truth(twin, back)["lifecyclestage"], truth(twin, on)["lifecyclestage"]) == ("lead", "customer")
    assert receipts["back"].record.fields == {"firstname": "New", "lifecyclestage": "lead"}  # type: ignore[union-attr]
    assert twin.calls()["total"] == 3


# ---- consent


def test_an_opt_out_goes_through_the_consent_channel(hubspot: HubSpot, twin: Twin) -> None:
    known, unknown, nameless = seed(twin, 1), seed(twin, 2), str(twin.edit("create", fields={"firstname": "No address"}))
    out = {"hs_email_optout": "true"}
    receipts = push(
        hubspot,
        Change("a", "consent", known, consent=out, anchor={"email": "P1@people.example "}),
        Change("b", "consent", unknown, consent=out),
        Change("c", "consent", nameless, consent=out),
        Change("d", "consent", known, consent={"hs_email_optout": "false"}),
        Change("e", "consent", "404404", consent=out),
    )
    assert {key: type(r.error) for key, r in receipts.items()} == {
        "a": type(None), "b": type(None), "c": Rejected, "d": ConsentRefused, "e": Vanished,
    }  # fmt: skip
    assert receipts["a"].record == Record(known, {"hs_email_optout": "true"})
    assert [truth(twin, ref).get("hs_email_optout") for ref in (known, unknown)] == ["true", "true"]


def test_one_bad_address_does_not_keep_the_others_subscribed(hubspot: HubSpot, twin: Twin) -> None:
    refs = [seed(twin, n) for n in range(5)]
    anchors = [{"email": f"p{n}@people.example"} if n != 2 else {"email": "broken"} for n in range(5)]
    out = {"hs_email_optout": "true"}
    receipts = push(hubspot, *(Change(f"k{n}", "consent", ref, consent=out, anchor=anchors[n]) for n, ref in enumerate(refs)))
    assert [type(receipts[f"k{n}"].error) for n in range(5)] == [type(None)] * 2 + [Rejected] + [type(None)] * 2
    assert sum(row.get("hs_email_optout") == "true" for row in twin.records()) == 4


def test_a_contact_is_born_opted_out(hubspot: HubSpot, twin: Twin) -> None:
    out, silent = {"hs_email_optout": "true"}, {"hs_email_optout": "false"}
    receipts = push(
        hubspot,
        Change("out", "create", fields={"email": "Out@people.example"}, consent=out),
        Change("in", "create", fields={"email": "in@people.example"}, consent=silent),
    )
    assert [receipts[key].error for key in ("out", "in")] == [None, None]
    assert receipts["out"].record.fields["hs_email_optout"] == "true"  # type: ignore[union-attr]
    assert {row["email"]: row.get("hs_email_optout") for row in twin.records()} == {"out@people.example": "true", "in@people.example": None}


def test_a_birth_whose_opt_out_failed_is_told_with_its_ref(hubspot: HubSpot, twin: Twin) -> None:
    twin.faults(on="unsubscribe-all", kind="drop_scope")
    born = push(hubspot, Change("k", "create", fields={"email": "out@people.example"}, consent={"hs_email_optout": "true"}))["k"]
    assert isinstance(born.error, OutcomeUnknown)
    assert born.ref == twin.records()[0]["id"]
