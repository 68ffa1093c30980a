"""People in a JSON file: a third party's connector, as small as one can be that keeps every law. It imports `syncline` alone.

{"key": "a secret", "people": {"1": {"email": "ada@people.example", "first_name": "Ada", "at_us": 1795300000000000}}}
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from syncline.cursor import Cursor, finished, since_us
from syncline.errors import AlreadyExists, AuthFailed, BudgetSpent, Rejected, Stale, Unreachable, UsageError, Vanished
from syncline.ports import Capabilities, Change, FieldInfo, Health, Page, Receipt, Schema, Settings
from syncline.records import Record

FIELDS = {
    "email": FieldInfo("email", "email", "E-mail", unique=True),
    "first_name": FieldInfo("first_name", "text", "First name"),
    "last_name": FieldInfo("last_name", "text", "Last name"),
    "labels": FieldInfo("labels", "set", "Labels"),
    "no_mail": FieldInfo("no_mail", "boolean", "Wants no mail", consent=True),
}
BLANK: dict[str, Any] = {"labels": (), "no_mail": False}


class JsonFile:
    """People in the file at `base_url`, `file:///…`. Whoever knows its `key` may read and write it."""

    name, title, secrets, objects, anchors, clock_offset_us = "jsonfile", "JSON file", ("key",), ("people",), (), 0
    capabilities = Capabilities(
        incremental="modified_since", overlap_s=1, evidence="record", versions=True, deletes="by_absence", merges="none",
        create_key="email", batch_read=1000, batch_write=1000, recheck="conditional",
    )  # fmt: skip

    def __init__(self, settings: Settings) -> None:
        if not settings.base_url:
            raise UsageError("the JSON file's place is told by SYNCLINE_JSONFILE_BASE_URL=file:///…")
        self._url, self._key, self._budget = urlsplit(settings.base_url), settings.secrets.get("key"), settings.call_budget
        self.calls = {"read": 0, "write": 0}

    def check(self) -> Health:
        return Health(f"{len(self._load()['people'])} people in {Path(self._url.path).name}")

    def describe(self, object: str) -> Schema:
        if object not in self.objects:
            raise UsageError(f"a JSON file has no {object!r}; it has: people")
        return Schema(object, FIELDS)

    def pull(self, object: str, fields: tuple[str, ...], cursor: Cursor | None) -> Iterator[Page]:
        began_us = time.time_ns() // 1000
        since = since_us(cursor, self.capabilities.overlap_s) if cursor else 0
        records = [_record(ref, person, fields) for ref, person in self._load()["people"].items() if person["at_us"] >= since]
        yield Page(records, finished(cursor or Cursor(0), began_us), complete=cursor is None)

    def read(self, object: str, fields: tuple[str, ...], refs: Sequence[str]) -> Iterator[Record]:
        people = self._load()["people"]
        return (_record(ref, people.get(ref), fields) for ref in refs)

    def find(self, object: str, fields: tuple[str, ...], field: str, values: Sequence[str]) -> Iterator[Record]:
        wanted, people = {value.casefold() for value in values}, self._load()["people"]
        return (_record(ref, person, fields) for ref, person in people.items() if _is(person, field, wanted))

    def push(self, object: str, fields: tuple[str, ...], changes: Iterable[Change]) -> Iterator[Receipt]:
        for change in changes:
            try:
                yield Receipt(change.key, *self._write(change, fields))
            except (AlreadyExists, Rejected, Stale, Vanished) as error:
                yield Receipt(change.key, change.ref, error=error)

    def close(self) -> None:
        """Nothing is kept open."""

    def _write(self, change: Change, fields: tuple[str, ...]) -> tuple[str, Record]:
        data = self._load("write")
        people = data["people"]
        ref = change.ref or str(max(map(int, people), default=0) + 1)
        values = {**change.fields, **change.consent}
        _check(people, ref, change, values)
        person = {**people.get(ref, {}), **values, "archived": change.kind == "archive"}
        people[ref] = {name: value for name, value in person.items() if value} | {"at_us": time.time_ns() // 1000}
        draft = Path(unquote(self._url.path) + ".new")
        draft.write_text(json.dumps(data, indent=1), encoding="utf-8")
        draft.replace(unquote(self._url.path))
        return ref, _record(ref, people[ref], fields)

    def _load(self, purpose: str = "read") -> dict[str, Any]:
        if self._budget is not None and sum(self.calls.values()) >= self._budget:
            raise BudgetSpent("the JSON file was opened as often as this run may")
        self.calls[purpose] += 1
        try:
            data: dict[str, Any] = json.loads(Path(unquote(self._url.path)).read_bytes()) if self._url.scheme == "file" else {}
        except (OSError, ValueError) as error:
            raise Unreachable("the JSON file cannot be read") from error
        if "people" not in data:
            raise Unreachable("there is no JSON file of people at this place")
        if data.get("key") != self._key:
            raise AuthFailed("the JSON file has another key")
        return data


def _check(people: dict[str, Any], ref: str, change: Change, values: dict[str, Any]) -> None:
    """Refuse what cannot be written. Raises Rejected, AlreadyExists, Vanished, Stale."""
    email = str(values.get("email") or "")
    if "email" in values and "@" not in email:
        raise Rejected("a person has an address with an @", field="email")
    taken = next((known for known, person in people.items() if known != ref and _is(person, "email", {email.casefold()})), None)
    if taken:
        raise AlreadyExists("somebody has this address already", ref=taken)
    if change.kind != "create" and ref not in people:
        raise Vanished("the person is not in the file any more")
    if change.version and change.version != str(people[ref]["at_us"]):
        raise Stale("the person was changed meanwhile")


def _is(person: dict[str, Any], field: str, wanted: set[str]) -> bool:
    return not person.get("archived") and str(person.get(field, "")).casefold() in wanted


def _record(ref: str, person: dict[str, Any] | None, fields: tuple[str, ...]) -> Record:
    if person is None:
        return Record(ref, {}, liveness="gone")
    shown = {name: person.get(name, BLANK.get(name)) for name in fields}
    shown = {name: tuple(value) if isinstance(value, list) else value for name, value in shown.items()}
    return Record(ref, shown, person["at_us"], str(person["at_us"]), "archived" if person.get("archived") else "live")
