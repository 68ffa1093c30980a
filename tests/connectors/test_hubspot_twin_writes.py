"""HubSpot's own ways, written over real HTTP to its twin: stages, partial failures, lost answers, consent, calls."""

from typing import Any

import pytest

from connectors.hubspot import HubSpot
from sandbox.handles import Twin
from syncline.errors import AlreadyExists, AuthFailed, ConsentRefused, OutcomeUnknown, Rejected, Vanished
from syncline.ports import Change, Receipt, Settings
from syncline.records import Record
from tests.connectors.hubspot_twin import FIELDS, hubspot, running, seed, twin

__all__ = ["hubspot", "running", "twin"]


def keyed(twin: Twin) -> HubSpot:
    return HubSpot(Settings(base_url=twin.url, secrets={"token": twin.token}, options={"create_key_property": "syncline_key"}))


def push(hubspot: HubSpot, *changes: Change) -> dict[str, Receipt]:
    return {receipt.key: receipt for receipt in hubspot.push("contacts", FIELDS, changes)}


def truth(twin: Twin, ref: str) -> dict[str, Any]:
    return next(row for row in twin.records() if row["id"] == ref)


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
