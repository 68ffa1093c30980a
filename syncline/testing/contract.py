"""The laws every connector keeps, as a pytest class. A connector's author subclasses it; nothing in it knows a vendor.

class TestMine(ConnectorContract):
    object, fields, text_field, unique_field = "people", ("name", "email"), "name", "email"
    wrong_secrets, refused = {"token": "no"}, {"email": "not an address"}

    @pytest.fixture
    def world(self): ...                 # a `World`: the vendor, empty
    @pytest.fixture
    def make(self, world): ...           # make(**settings) → a connector to that vendor; settings replace those of `Settings`
    def person(self, n): ...             # native values of the n-th invented person, all of `fields` that can be written
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar, get_args

import pytest

from syncline.cursor import Cursor
from syncline.errors import AuthFailed, BudgetSpent, Recovery, SyncError, Unreachable, UsageError
from syncline.ports import Change, Connector, FieldType, Page, Receipt
from syncline.records import Record
from syncline.testing.world import World, closed_port, html_host

Make = Callable[..., Connector]


class ConnectorContract:
    """Subclass me. `many`: more records than the vendor gives in a page. `refused`: native values the vendor refuses in a record."""

    object: ClassVar[str]
    fields: ClassVar[tuple[str, ...]]
    text_field: ClassVar[str]
    unique_field: ClassVar[str]
    wrong_secrets: ClassVar[Mapping[str, str]]
    refused: ClassVar[Mapping[str, Any]]
    many: ClassVar[int] = 3

    def person(self, n: int) -> Mapping[str, Any]:
        """Native values of the n-th invented person."""
        raise NotImplementedError

    @pytest.fixture
    def connector(self, make: Make) -> Iterator[Connector]:
        """The connector under test."""
        connector = make()
        yield connector
        connector.close()

    # ---- what it says of itself

    def test_it_is_a_connector(self, connector: Connector) -> None:
        assert isinstance(connector, Connector)
        assert self.object in connector.objects

    def test_check_names_the_account(self, connector: Connector) -> None:
        assert connector.check().account.strip()

    def test_describe_knows_the_fields_and_their_types(self, connector: Connector) -> None:
        schema = connector.describe(self.object)
        assert set(self.fields) <= set(schema.fields)
        assert {info.type for info in schema.fields.values()} <= set(get_args(FieldType))
        assert all(name == info.name for name, info in schema.fields.items())

    def test_an_unknown_object_is_a_usage_error(self, connector: Connector) -> None:
        with pytest.raises(UsageError):
            connector.describe("no such object")

    def test_close_may_be_called_twice(self, make: Make) -> None:
        connector = make()
        connector.close()
        connector.close()

    # ---- listing and polling

    def test_a_full_listing_shows_everyone_and_says_that_it_is_whole(self, connector: Connector, world: World) -> None:
        refs = self._populate(world)
        pages = self._pages(connector, None)
        assert refs <= _refs(pages)
        assert [page.complete for page in pages] == [False] * (len(pages) - 1) + [True]

    def test_a_listing_resumes_after_any_page(self, connector: Connector, world: World) -> None:
        refs = self._populate(world)
        pages = self._pages(connector, None)
        for n, page in enumerate(pages[:-1], 1):
            assert page.cursor.token is not None
            rest = self._pages(connector, page.cursor)
            assert refs <= _refs(pages[:n] + rest)
            assert rest[-1].complete
            assert rest[-1].cursor.at_us <= pages[-1].cursor.at_us

    def test_a_record_holds_what_was_asked_in_that_order(self, connector: Connector, world: World) -> None:
        ref = world.seed(self.person(1))
        asked = tuple(reversed(self.fields))
        record = _last(connector.pull(self.object, asked, None), ref)
        assert [name for name in asked if name in record.fields] == list(record.fields)
        assert record.fields[self.text_field] == (world.state(ref) or {})[self.text_field]

    def test_the_bytes_of_a_page_name_its_records_and_tell_of_an_edit(self, connector: Connector, world: World) -> None:
        refs = sorted(self._populate(world))
        for page in (first := self._pages(connector, None)):
            assert not page.raw or [ref for ref, _ in page.raw] == [record.ref for record in page.records]
        before = {ref: bytes(raw) for page in first for ref, raw in page.raw}
        world.edit(refs[0], {self.text_field: "Edited"})
        after = {ref: bytes(raw) for page in self._pages(connector, None) for ref, raw in page.raw}
        assert {ref for ref in refs if before.get(ref) != after.get(ref)} == ({refs[0]} if before else set())

    def test_a_poll_yields_a_page_even_when_nothing_changed(self, connector: Connector) -> None:
        pages = self._pages(connector, self._caught_up(connector))
        assert pages
        assert not any(page.complete for page in pages)

    def test_a_poll_shows_an_edit_and_a_new_record(self, connector: Connector, world: World) -> None:
        edited = world.seed(self.person(1))
        cursor = self._caught_up(connector)
        world.edit(edited, {self.text_field: "Edited"})
        made = world.seed(self.person(2))
        pages = self._pages(connector, cursor)
        assert _last(pages, edited).fields[self.text_field] == "Edited"
        assert made in _refs(pages)

    def test_equal_stamps_are_never_skipped(self, connector: Connector, world: World) -> None:
        cursor = self._caught_up(connector)
        refs = set(world.seed_at_once([self.person(n) for n in range(self.many)]))
        pages = self._pages(connector, cursor)
        assert refs <= _refs(pages)
        for n, page in enumerate(pages[:-1], 1):
            assert refs <= _refs(pages[:n] + self._pages(connector, page.cursor))

    def test_a_cursor_never_goes_back(self, connector: Connector, world: World) -> None:
        cursor = self._caught_up(connector)
        self._populate(world)
        stamps = [cursor.at_us, *(page.cursor.at_us for page in self._pages(connector, cursor))]
        assert stamps == sorted(stamps)

    # ---- looking up

    def test_read_answers_once_for_each_ref(self, connector: Connector, world: World) -> None:
        kept, deleted = world.seed(self.person(1)), world.seed(self.person(2))
        world.delete(deleted)
        records = list(connector.read(self.object, self.fields, [deleted, kept]))
        assert sorted(r.ref for r in records) == sorted([kept, deleted])
        assert {r.ref: r.liveness == "live" for r in records} == {kept: True, deleted: False}

    def test_find_knows_a_record_made_just_now(self, connector: Connector, world: World) -> None:
        ref = world.seed(self.person(1))
        sought = [str(self.person(n)[self.unique_field]) for n in (1, 2)]
        assert [r.ref for r in connector.find(self.object, self.fields, self.unique_field, sought)] == [ref]

    # ---- writing

    def test_a_create_is_told_with_its_ref_and_echo(self, connector: Connector, world: World) -> None:
        person = self.person(1)
        (receipt,) = self._push(connector, [Change("k1", "create", fields=person)])
        assert receipt.error is None
        assert receipt.ref
        state = world.state(receipt.ref)
        assert state is not None
        assert state[self.text_field] == person[self.text_field]
        if receipt.record:
            assert receipt.record.fields.items() <= dict(state).items()

    def test_an_update_changes_its_own_field_alone(self, connector: Connector, world: World) -> None:
        ref = world.seed(self.person(1))
        before = world.state(ref) or {}
        (receipt,) = self._push(connector, [self._update(connector, world, ref, "Changed")])
        after = world.state(ref) or {}
        assert (receipt.error, receipt.ref) == (None, ref)
        assert {name for name in self.fields if after.get(name) != before.get(name)} == {self.text_field}
        assert after[self.text_field] == "Changed"
        if receipt.record:
            assert receipt.record.fields[self.text_field] == "Changed"

    def test_blank_clears(self, connector: Connector, world: World) -> None:
        ref = world.seed(self.person(1))
        (receipt,) = self._push(connector, [self._update(connector, world, ref, "")])
        assert receipt.error is None
        assert not (world.state(ref) or {}).get(self.text_field)

    def test_an_archived_record_is_not_live(self, connector: Connector, world: World) -> None:
        ref = world.seed(self.person(1))
        (receipt,) = self._push(connector, [Change("k1", "archive", ref, anchor=self._anchor(connector, world, ref))])
        assert (receipt.error, world.state(ref)) == (None, None)
        (record,) = connector.read(self.object, self.fields, [ref])
        assert record.liveness in ("archived", "gone")

    def test_a_refused_change_does_not_cost_its_neighbours(self, connector: Connector, world: World) -> None:
        people = [self.person(n) for n in range(5)]
        changes = [Change(f"k{n}", "create", fields={**p, **self.refused} if n == 2 else p) for n, p in enumerate(people)]
        receipts = {receipt.key: receipt for receipt in self._push(connector, changes)}
        refused = receipts.pop("k2").error
        assert isinstance(refused, SyncError)
        assert refused.recovery is Recovery.HOLD
        assert [r.error for r in receipts.values()] == [None] * 4
        assert all(world.count(self.unique_field, p[self.unique_field]) == 1 for n, p in enumerate(people) if n != 2)

    def test_a_repeated_create_makes_no_second_record(self, connector: Connector, world: World) -> None:
        person = self.person(1)
        for _ in range(2):
            (receipt,) = self._push(connector, [Change("k1", "create", fields=person)])
            assert receipt.error is None or receipt.error.recovery is Recovery.REREAD
        assert world.count(self.unique_field, person[self.unique_field]) == 1

    def test_a_change_of_a_deleted_record_is_told(self, connector: Connector, world: World) -> None:
        ref = world.seed(self.person(1))
        change = self._update(connector, world, ref, "Too late")
        world.delete(ref)
        (receipt,) = self._push(connector, [change])
        assert receipt.error is not None
        assert receipt.error.recovery is Recovery.REREAD

    # ---- when things go wrong

    def test_wrong_credentials_are_named_and_not_shown(self, make: Make) -> None:
        connector = make(secrets=self.wrong_secrets)
        with pytest.raises(AuthFailed) as caught:
            connector.check()
        told = f"{caught.value} {caught.value.detail} {connector!r}"
        assert not any(secret in told for secret in self.wrong_secrets.values())

    def test_a_host_that_is_not_there_is_unreachable(self, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(time, "sleep", lambda seconds: None)
        with pytest.raises(Unreachable):
            make(base_url=closed_port()).check()

    def test_a_web_page_is_no_answer(self, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(time, "sleep", lambda seconds: None)
        with html_host() as url, pytest.raises(Unreachable) as caught:
            make(base_url=url).check()
        assert "log in" not in f"{caught.value} {caught.value.detail}"

    def test_the_call_budget_is_kept(self, make: Make) -> None:
        with pytest.raises(BudgetSpent):
            make(call_budget=0).check()

    # ---- how the laws speak

    def _populate(self, world: World) -> set[str]:
        return {world.seed(self.person(n)) for n in range(self.many)}

    def _pages(self, connector: Connector, cursor: Cursor | None) -> list[Page]:
        return list(connector.pull(self.object, self.fields, cursor))

    def _caught_up(self, connector: Connector) -> Cursor:
        return self._pages(connector, None)[-1].cursor

    def _push(self, connector: Connector, changes: list[Change]) -> list[Receipt]:
        receipts = list(connector.push(self.object, self.fields, changes))
        assert sorted(r.key for r in receipts) == sorted(c.key for c in changes), "one receipt for each change"
        return receipts

    def _update(self, connector: Connector, world: World, ref: str, value: str) -> Change:
        return Change("k1", "update", ref, {self.text_field: value}, anchor=self._anchor(connector, world, ref))

    def _anchor(self, connector: Connector, world: World, ref: str) -> dict[str, Any]:
        state = world.state(ref) or {}
        return {name: state[name] for name in connector.anchors if name in state}


def _refs(pages: Iterable[Page]) -> set[str]:
    return {record.ref for page in pages for record in page.records}


def _last(pages: Iterable[Page], ref: str) -> Record:
    return [record for page in pages for record in page.records if record.ref == ref][-1]
