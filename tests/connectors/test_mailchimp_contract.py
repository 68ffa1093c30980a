"""Mailchimp keeps the connector contract, and its own promises about consent and batches, over real HTTP to its twin."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest

from connectors.registry import build
from sandbox.handles import Twin, Twins
from sandbox.serve import start_twins
from syncline.cursor import Cursor
from syncline.errors import ConsentRefused, OutcomeUnknown, Rejected, Vanished
from syncline.ports import Change, Connector, Settings
from syncline.testing import ConnectorContract

MERGE = "merge_fields."
FIELDS = ("email_address", "status", "tags", "merge_fields.FNAME", "merge_fields.LNAME", "merge_fields.STAGE")


@pytest.fixture(scope="module")
def twins() -> Iterator[Twins]:
    with start_twins() as twins:
        yield twins


class People:
    """The Mailchimp twin's own users. They speak in contact ids; the twin's screens in hashes and bare merge tags."""

    def __init__(self, twin: Twin) -> None:
        self.twin = twin

    def seed(self, values: Mapping[str, Any]) -> str:
        made = self.twin.edit("create", email=values["email_address"], fields=_bare(values))
        self.twin.clock(advance_s=3)  # stamps have whole seconds: what follows is not in the same one
        return str(self.twin.state.find(made).contact_id)

    def seed_at_once(self, rows: list[Mapping[str, Any]]) -> list[str]:
        self.twin.clock(frozen=True)
        try:
            made = [self.twin.edit("create", email=row["email_address"], fields=_bare(row)) for row in rows]
        finally:
            self.twin.clock(frozen=False)
        return [str(self.twin.state.find(hashed).contact_id) for hashed in made]

    def edit(self, ref: str, values: Mapping[str, Any]) -> None:
        self.twin.edit("update", id=ref, fields=_bare(values))

    def delete(self, ref: str) -> None:
        self.twin.edit("delete", id=ref)

    def state(self, ref: str) -> Mapping[str, Any] | None:
        return next((row for row in self._live() if row["contact_id"] == ref), None)

    def count(self, field: str, value: str) -> int:
        return sum(row.get(field) == value for row in self._live())

    def _live(self) -> list[Mapping[str, Any]]:
        tags = self.twin.state.table
        blank = {MERGE + tag: "" for tag in tags}
        rows = [row for row in self.twin.records() if row["state"] == "live"]
        return [blank | {MERGE + name if name in tags else name: value for name, value in row.items()} for row in rows]


def _bare(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(MERGE): value for name, value in values.items()}


@pytest.fixture
def world(twins: Twins) -> People:
    twins.mailchimp.reset()
    return People(twins.mailchimp)


@pytest.fixture
def make(twins: Twins, world: People) -> Any:
    def make(**settings: Any) -> Connector:
        twin = twins.mailchimp
        usual = {"base_url": twin.url, "secrets": {"api_key": twin.key}, "options": {"audience": twin.audience}}
        return build("mailchimp", Settings(**{**usual, **settings}))

    return make


def person(n: int) -> dict[str, Any]:
    return {
        "email_address": f"person{n}@people.example",
        "merge_fields.FNAME": f"Aoife {n}",
        "merge_fields.LNAME": "Byrne",
        "tags": ["vip"],
    }


class TestMailchimp(ConnectorContract):
    object = "members"
    fields = FIELDS
    text_field = "merge_fields.FNAME"
    unique_field = "email_address"
    wrong_secrets: ClassVar = {"api_key": "keyofsomebodyelse-us99"}
    refused: ClassVar = {"merge_fields.STAGE": "no such stage"}
    many = 25

    def person(self, n: int) -> Mapping[str, Any]:
        return person(n)


def push(connector: Connector, *changes: Change):
    return list(connector.push("members", FIELDS, changes))


def update(world: People, ref: str, kind: str = "update", **more: Any) -> Change:
    return Change(f"k-{ref}", kind, ref, anchor={"email_address": world.state(ref)["email_address"]}, **more)


def test_thousands_are_listed_and_polled_a_thousand_a_call(make, twins):
    twins.reset(contacts=3000)
    members = {row["contact_id"] for row in twins.mailchimp.records()}
    assert len(members) > 2000
    for cursor, calls in (None, 5), (Cursor(0), 3):
        twins.mailchimp.reset_calls()
        pages = list(make().pull("members", FIELDS, cursor))
        assert {record.ref for page in pages for record in page.records} == members
        assert twins.mailchimp.calls()["total"] == calls


def test_an_archived_member_is_told_by_the_listing_and_not_by_the_poll(make, world):
    ref = world.seed(person(1))
    world.delete(ref)
    (archived,) = [record for page in make().pull("members", FIELDS, None) for record in page.records]
    assert (archived.ref, archived.liveness, "status" in archived.fields) == (ref, "archived", False)
    assert not [record for page in make().pull("members", FIELDS, Cursor(0)) for record in page.records]


def test_who_left_by_own_hand_is_asked_again_but_never_subscribed(make, world):
    ref = world.seed(person(1))
    world.twin.edit("unsubscribe", id=ref)
    (refused,) = push(make(), Change("k1", "consent", ref, consent={"status": "subscribed"}))
    assert isinstance(refused.error, ConsentRefused) and world.state(ref)["status"] == "unsubscribed"
    (asked,) = push(make(), Change("k2", "consent", ref, consent={"status": "pending"}))
    assert asked.error is None and asked.record.fields["status"] == world.state(ref)["status"] == "pending"


def test_who_was_deleted_for_ever_is_not_created_again(make, world):
    ref = world.seed(person(1))
    world.twin.edit("purge", id=ref)
    (receipt,) = push(make(), Change("k1", "create", fields=person(1), consent={"status": "pending"}))
    assert isinstance(receipt.error, ConsentRefused) and "people.example" not in str(receipt.error)
    (update_of_nobody,) = push(
        make(), Change("k2", "update", ref, {"merge_fields.FNAME": "X"}, anchor={"email_address": "person1@people.example"})
    )
    assert isinstance(update_of_nobody.error, Rejected | Vanished)
    assert world.count("email_address", "person1@people.example") == 0


def test_consent_does_not_revive_an_archived_member_but_restore_does(make, world):
    ref = world.seed(person(1))
    world.delete(ref)
    (receipt,) = push(make(), Change("k1", "consent", ref, consent={"status": "unsubscribed"}))
    assert isinstance(receipt.error, Vanished) and world.state(ref) is None
    (receipt,) = push(make(), Change("k2", "restore", ref, consent={"status": "pending"}))
    assert receipt.error is None and receipt.record.liveness == "live" and world.state(ref)["status"] == "pending"
    world.delete(other := world.seed(person(2)))
    (receipt,) = push(make(), Change("k3", "restore", other))
    assert receipt.error is None and world.state(other)["status"] == "transactional"


def test_tags_are_replaced_when_asked_and_kept_when_not(make, world):
    kept, replaced = world.seed(person(1)), world.seed(person(2))
    world.edit(kept, {"tags": ["vip", "old"]})
    changes = update(world, kept, fields={"merge_fields.FNAME": "New"}), update(world, replaced, fields={"tags": ["b", "a"]})
    assert [receipt.record.fields["tags"] for receipt in push(make(), *changes)] == [["old", "vip"], ["a", "b"]]
    assert world.state(kept)["tags"] == ["old", "vip"]


def test_a_new_address_keeps_the_ref(make, world):
    ref = world.seed(person(1))
    (receipt,) = push(make(), update(world, ref, fields={"email_address": "renamed@people.example", "tags": []}))
    assert (receipt.error, receipt.ref, receipt.record.fields["tags"]) == (None, ref, [])
    assert world.state(ref)["email_address"] == "renamed@people.example"
    taken = world.seed(person(2))
    (receipt,) = push(make(), update(world, taken, fields={"email_address": "renamed@people.example"}))
    assert isinstance(receipt.error, Rejected) and receipt.error.field == "email_address"


def test_a_batch_that_was_applied_but_not_answered_is_unknown_and_sent_once(make, world):
    world.twin.faults(on="POST /3.0/lists/{list_id}", kind="timeout_after")
    receipts = push(make(), Change("k1", "create", fields=person(1)), Change("k2", "create", fields=person(2)))
    assert [type(receipt.error) for receipt in receipts] == [OutcomeUnknown, OutcomeUnknown]
    assert world.count("email_address", "person1@people.example") == 1
    assert world.twin.calls()["calls"] == {"POST /3.0/lists/{list_id}": 1}


def test_many_single_calls_stay_below_the_vendors_connections(make, world):
    refs = [world.seed(person(n)) for n in range(40)]
    receipts = push(make(), *(Change(f"k{ref}", "consent", ref, consent={"status": "unsubscribed"}) for ref in refs))
    assert {receipt.ref for receipt in receipts if receipt.error is None} == set(refs)
    calls = world.twin.calls()
    assert calls["throttled"] == 0 and calls["most_at_once"] <= 8


def test_what_the_vendor_drops_in_silence_shows_in_the_echo(make, world):
    ref = world.seed(person(1))
    fields = (*FIELDS, "merge_fields.NOSUCH")
    (receipt,) = make().push(
        "members", fields, [update(world, ref, fields={"merge_fields.NOSUCH": "lost", "merge_fields.FNAME": "x" * 60})]
    )
    assert receipt.error is None and "merge_fields.NOSUCH" not in receipt.record.fields
    assert receipt.record.fields["merge_fields.FNAME"] == "x" * 50
