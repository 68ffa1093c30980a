"""The connector against the real CRM: what its users do by hand is seen, and what it writes is what they see."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from connectors.tryton import Tryton
from syncline.cursor import Cursor
from syncline.errors import AuthFailed, Merged, Rejected, SchemaDrift, Stale, Vanished
from syncline.ports import Change, Receipt, Settings
from syncline.records import Record
from tests.real.rpc import Rpc
from tests.real.tryton_server import Server

FIELDS = ("name", "email", "phone", "lang", "categories", "email_opt_out")
PARTY = "model.party.party."
MECHANISM = "model.party.contact_mechanism."


@pytest.fixture
def settings(tryton_server: Server) -> Settings:
    secrets = {"user": tryton_server.user, "password": tryton_server.password}
    return Settings(base_url=tryton_server.base_url, options={"database": tryton_server.database}, secrets=secrets)


@pytest.fixture
def tryton(settings: Settings) -> Iterator[Tryton]:
    connector = Tryton(settings)
    yield connector
    connector.close()


def party(crm: Rpc, name: str, **mechanisms: str) -> int:
    values = [["create", [{"type": kind, "value": value} for kind, value in mechanisms.items()]]]
    number: int = crm.call(PARTY + "create", [{"name": name, "contact_mechanisms": values}])[0]
    return number


def mechanism_of(crm: Rpc, number: int, kind: str) -> int:
    [found] = crm.call(MECHANISM + "search", [["party", "=", number], ["type", "=", kind]], 0, None, None)
    return int(found)


def now(tryton: Tryton, number: int) -> Record:
    [record] = tryton.read("parties", FIELDS, [str(number)])
    return record


def send(tryton: Tryton, *changes: Change) -> list[Receipt]:
    return list(tryton.push("parties", FIELDS, changes))


def update(tryton: Tryton, number: int, **fields: Any) -> Change:
    return Change(f"update-{number}", "update", str(number), fields, version=now(tryton, number).version)


def everyone(tryton: Tryton) -> dict[str, Record]:
    return {record.ref: record for page in tryton.pull("parties", FIELDS, None) for record in page.records}


def mark(tryton: Tryton) -> Cursor:
    """The cursor after a full listing, far enough ahead that the overlap shows nothing older."""
    *_, last = tryton.pull("parties", ("name",), None)
    assert last.complete
    return replace(last.cursor, at_us=last.cursor.at_us + 302_000_000)


def changed(tryton: Tryton, cursor: Cursor) -> set[str]:
    return {record.ref for page in tryton.pull("parties", FIELDS, cursor) for record in page.records}


def test_health_names_the_account_and_finds_no_scope_missing(tryton: Tryton, tryton_server: Server) -> None:
    health = tryton.check()
    assert tryton_server.database in health.account and "8.2" in health.account
    assert health.missing_scopes == () and "party.party write" in health.scopes


def test_a_wrong_password_is_told_as_such(settings: Settings) -> None:
    with pytest.raises(AuthFailed) as refused:
        Tryton(replace(settings, secrets={"user": "nobody", "password": "not-the-password"})).describe("parties")
    assert "not-the-password" not in str(refused.value) + refused.value.detail


def test_the_schema_is_the_servers_own(tryton: Tryton) -> None:
    fields = tryton.describe("parties").fields
    assert (fields["email"].type, fields["email"].writable) == ("email", True)
    assert (fields["code"].unique, fields["code"].writable) == (True, False)
    assert fields["email_opt_out"].consent and not fields["name"].consent
    assert "en" in fields["lang"].options


def test_an_unknown_field_is_drift_not_silence(tryton: Tryton) -> None:
    with pytest.raises(SchemaDrift):
        list(tryton.pull("parties", ("name", "shoe_size"), None))


def test_a_party_shows_its_first_mechanisms(tryton: Tryton, crm: Rpc) -> None:
    number = party(crm, "Two Addresses", email="old@people.example")
    first = ["create", [{"type": "email", "value": "first@people.example", "sequence": 1}]]
    later = ["write", [mechanism_of(crm, number, "email")], {"sequence": 2}]
    crm.call(PARTY + "write", [number], {"contact_mechanisms": [first, later]})
    shown = crm.call(PARTY + "read", [number], ["email"])[0]["email"]
    assert now(tryton, number).fields["email"] == shown == "first@people.example"


def test_a_listing_shows_archived_and_merged_parties(tryton: Tryton, crm: Rpc) -> None:
    archived, loser, winner = party(crm, "Archived"), party(crm, "Loser"), party(crm, "Winner")
    crm.call(PARTY + "write", [archived], {"active": False})
    crm.replace(loser, winner)
    seen = everyone(tryton)
    assert seen[str(archived)].liveness == "archived"
    assert (seen[str(loser)].liveness, seen[str(loser)].merged_into) == ("merged", str(winner))
    assert seen[str(winner)].liveness == "live"


def test_a_poll_shows_each_kind_of_change(tryton: Tryton, crm: Rpc) -> None:
    """The overlap is stepped over by asking from a moment ago: only what happens after the mark may show."""
    edited, mechanism, unhooked, archived, quiet = (party(crm, f"Poll {n}", email=f"poll{n}@people.example") for n in range(5))
    since = Cursor(max(now(tryton, quiet).modified_us or 0, 0) + 300_000_000 + 1)
    crm.call(PARTY + "write", [edited], {"name": "Poll 0 edited"})
    crm.call(MECHANISM + "write", [mechanism_of(crm, mechanism, "email")], {"value": "direct@people.example"})
    crm.call(MECHANISM + "write", [mechanism_of(crm, unhooked, "email")], {"active": False})
    crm.call(PARTY + "write", [archived], {"active": False})
    born = party(crm, "Poll born")
    seen = changed(tryton, since)
    assert seen >= {str(number) for number in (edited, mechanism, unhooked, archived, born)}
    assert str(quiet) not in seen


def test_a_mechanism_of_an_archived_party_is_seen_too(tryton: Tryton, crm: Rpc) -> None:
    """Tryton adds "active only" to every OR by itself; this is the case that shows it."""
    number = party(crm, "Archived and edited", email="asleep@people.example")
    crm.call(PARTY + "write", [number], {"active": False})
    since = Cursor((now(tryton, number).modified_us or 0) + 300_000_000 + 1)
    crm.call(MECHANISM + "write", [mechanism_of(crm, number, "email")], {"value": "awake@people.example"})
    assert changed(tryton, since) == {str(number)}


def test_a_quiet_poll_moves_the_cursor(tryton: Tryton) -> None:
    before = mark(tryton)
    [page] = tryton.pull("parties", FIELDS, before)
    assert (list(page.records), page.complete, page.cursor) == ([], False, before)


def test_a_listing_goes_on_where_it_stopped(tryton: Tryton, crm: Rpc, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = [party(crm, f"Page {n}") for n in range(3)]
    monkeypatch.setattr("connectors.tryton.PAGE", 2)
    first = next(iter(tryton.pull("parties", FIELDS, None)))
    rest = list(tryton.pull("parties", FIELDS, first.cursor))
    refs = [record.ref for page in (first, *rest) for record in page.records]
    assert len(refs) == len(set(refs)) and set(refs) >= {str(number) for number in numbers}
    assert rest[-1].complete and rest[-1].cursor.token is None


def test_read_answers_for_every_ref(tryton: Tryton, crm: Rpc) -> None:
    number = party(crm, "Deleted")
    crm.call(PARTY + "delete", [number])
    assert [record.liveness for record in tryton.read("parties", FIELDS, [str(number), "no-number"])] == ["gone", "gone"]


def test_find_is_blind_to_case_and_to_the_archive(tryton: Tryton, crm: Rpc) -> None:
    number, asleep = party(crm, "Found", email="Find_Me@people.example"), party(crm, "Asleep", email="find_me@people.example")
    party(crm, "Wildcard", email="findxme@people.example")
    crm.call(PARTY + "write", [asleep], {"active": False})
    found = tryton.find("parties", ("name",), "email", ["find_me@people.example", "nobody@people.example"])
    assert [record.ref for record in found] == [str(number)]


def test_a_create_is_born_with_its_consent_and_happens_once(tryton: Tryton, crm: Rpc) -> None:
    fields = {"name": "Born", "email": "born@people.example", "phone": "+353 1 555 0100", "lang": "en", "categories": ("Gold",)}
    change = Change("create-1", "create", None, fields, {"email_opt_out": True})
    [first], [again] = send(tryton, change), send(tryton, change)
    assert first.error is None and first.record is not None
    assert first.record.fields == {**fields, "email_opt_out": True}
    assert (again.ref, again.error) == (first.ref, None)
    assert len(crm.call(PARTY + "search", [["name", "=", "Born"]], 0, None, None)) == 1


def test_one_bad_row_holds_up_nobody_else(tryton: Tryton) -> None:
    names = ["Good one", "Bad\nname", "Good two", "Good three"]
    receipts = send(tryton, *(Change(f"batch-{n}", "create", None, {"name": name}) for n, name in enumerate(names)))
    failed = {receipt.key: receipt.error for receipt in receipts if receipt.error}
    assert list(failed) == ["batch-1"] and isinstance(failed["batch-1"], Rejected)
    assert failed["batch-1"].field == "name" and "Bad" not in str(failed["batch-1"])
    assert sorted(receipt.record.fields["name"] for receipt in receipts if receipt.record) == ["Good one", "Good three", "Good two"]


def test_mechanisms_are_made_changed_and_cleared(tryton: Tryton, crm: Rpc) -> None:
    number = party(crm, "Ada", email="before@people.example")
    [receipt] = send(tryton, update(tryton, number, email="after@people.example", phone="+353 1 555 0199"))
    assert receipt.record and (receipt.record.fields["email"], receipt.record.fields["phone"]) == (
        "after@people.example",
        "+353 1 555 0199",
    )
    assert crm.call(PARTY + "read", [number], ["email"])[0]["email"] == "after@people.example"
    [cleared] = send(tryton, update(tryton, number, email=None))
    assert cleared.record and cleared.record.fields["email"] is None
    assert crm.call(PARTY + "read", [number], ["email", "phone"])[0] == {"id": number, "email": "", "phone": "+353 1 555 0199"}


def test_a_write_without_a_version_looks_first(tryton: Tryton, crm: Rpc) -> None:
    number = party(crm, "Blind", email="blind@people.example")
    [receipt] = send(tryton, Change("blind", "update", str(number), {"email": "seen@people.example"}))
    assert receipt.record and receipt.record.fields["email"] == "seen@people.example"
    assert len(crm.call(MECHANISM + "search", [["party", "=", number]], 0, None, None)) == 1


def test_an_unseen_edit_makes_a_write_stale(tryton: Tryton, crm: Rpc) -> None:
    by_party, by_mechanism, calm = (party(crm, f"Race {n}", email=f"race{n}@people.example") for n in range(3))
    changes = [update(tryton, number, email=f"ours{number}@people.example") for number in (by_party, by_mechanism, calm)]
    crm.call(PARTY + "write", [by_party], {"name": "Race 0 theirs"})
    crm.call(MECHANISM + "write", [mechanism_of(crm, by_mechanism, "email")], {"value": "theirs@people.example"})
    outcome = {receipt.ref: receipt.error for receipt in send(tryton, *changes)}
    assert isinstance(outcome[str(by_party)], Stale) and isinstance(outcome[str(by_mechanism)], Stale)
    assert outcome[str(calm)] is None
    assert crm.call(PARTY + "read", [by_mechanism], ["email"])[0]["email"] == "theirs@people.example"


def test_a_mechanism_deleted_meanwhile_makes_a_write_stale(tryton: Tryton, crm: Rpc) -> None:
    number = party(crm, "Unhooked", email="unhooked@people.example")
    change = update(tryton, number, email="ours@people.example")
    crm.call(MECHANISM + "delete", [mechanism_of(crm, number, "email")])
    [receipt] = send(tryton, change)
    assert isinstance(receipt.error, Stale)


def test_who_has_gone_or_was_merged_is_told(tryton: Tryton, crm: Rpc) -> None:
    gone, loser, winner = party(crm, "Gone"), party(crm, "Lost"), party(crm, "Won")
    changes = [update(tryton, number, name="New name") for number in (gone, loser)]
    crm.call(PARTY + "delete", [gone])
    crm.replace(loser, winner)
    blind = [replace(change, key=f"blind-{change.ref}", version=None) for change in changes]
    outcome = {receipt.key: receipt.error for receipt in send(tryton, *changes, *blind)}
    assert isinstance(outcome[f"update-{gone}"], Vanished) and isinstance(outcome[f"blind-{gone}"], Vanished)
    for key in (f"update-{loser}", f"blind-{loser}"):
        merged = outcome[key]
        assert isinstance(merged, Merged) and merged.into == str(winner)


def test_consent_and_categories_do_not_meet(tryton: Tryton, crm: Rpc) -> None:
    number = party(crm, "Consent")
    [out] = send(tryton, Change("out", "consent", str(number), consent={"email_opt_out": True}, version=now(tryton, number).version))
    assert out.record and (out.record.fields["email_opt_out"], out.record.fields["categories"]) == (True, ())
    [tagged] = send(tryton, update(tryton, number, categories=("Blue", "Red")))
    assert tagged.record and (tagged.record.fields["email_opt_out"], tagged.record.fields["categories"]) == (True, ("Blue", "Red"))
    [fewer] = send(tryton, update(tryton, number, categories=()))
    assert fewer.record and (fewer.record.fields["email_opt_out"], fewer.record.fields["categories"]) == (True, ())
    [back] = send(tryton, Change("in", "consent", str(number), consent={"email_opt_out": False}, version=fewer.record.version))
    assert back.record and back.record.fields["email_opt_out"] is False


def test_a_blank_is_no_consent_either_way(tryton: Tryton, crm: Rpc) -> None:
    number = party(crm, "Blank consent")
    [receipt] = send(tryton, Change("blank", "consent", str(number), consent={"email_opt_out": None}))
    assert isinstance(receipt.error, Rejected) and receipt.error.field == "email_opt_out"


def test_an_archived_party_is_read_only_until_it_is_restored(tryton: Tryton, crm: Rpc) -> None:
    number = party(crm, "Sleeper")
    [asleep] = send(tryton, Change("sleep", "archive", str(number), version=now(tryton, number).version))
    assert asleep.record and asleep.record.liveness == "archived"
    [held] = send(tryton, update(tryton, number, name="Renamed"))
    assert isinstance(held.error, Rejected)
    [awake] = send(tryton, Change("wake", "restore", str(number), {"name": "Waker"}, version=now(tryton, number).version))
    assert awake.record and (awake.record.liveness, awake.record.fields["name"]) == ("live", "Waker")


def test_an_archive_may_carry_a_last_edit(tryton: Tryton, crm: Rpc) -> None:
    number = party(crm, "Leaving")
    [receipt] = send(tryton, Change("leave", "archive", str(number), {"name": "Left"}, version=now(tryton, number).version))
    assert receipt.record and (receipt.record.liveness, receipt.record.fields["name"]) == ("archived", "Left")


def test_an_unknown_language_is_held_with_its_field(tryton: Tryton, crm: Rpc) -> None:
    number = party(crm, "Speaker")
    [receipt] = send(tryton, update(tryton, number, lang="tlh"))
    assert isinstance(receipt.error, Rejected) and receipt.error.field == "lang"


def test_a_batch_costs_two_calls(tryton: Tryton, crm: Rpc) -> None:
    numbers = [party(crm, f"Cheap {n}") for n in range(20)]
    changes = [update(tryton, number, name=f"Cheaper {number}") for number in numbers]
    before = dict(tryton.calls)
    assert all(receipt.record for receipt in send(tryton, *changes))
    assert {purpose: count - before.get(purpose, 0) for purpose, count in tryton.calls.items()} == {"read": 1, "write": 1}
