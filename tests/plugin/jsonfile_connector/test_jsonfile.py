"""The connector keeps the laws: what its author runs, in an environment where `syncline` and the connector are installed."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from syncline_jsonfile import JsonFile

from syncline.ports import Settings
from syncline.testing import ConnectorContract


class File:
    """Somebody with a text editor."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._write({})

    @property
    def people(self) -> dict[str, dict[str, Any]]:
        return json.loads(self.path.read_text())["people"]

    def seed(self, values: Mapping[str, Any]) -> str:
        return self.seed_at_once([values])[0]

    def seed_at_once(self, rows: list[Mapping[str, Any]]) -> list[str]:
        people, at_us = self.people, time.time_ns() // 1000
        refs = [str(len(people) + n) for n in range(1, len(rows) + 1)]
        self._write(people | {ref: {**row, "at_us": at_us} for ref, row in zip(refs, rows, strict=True)})
        return refs

    def edit(self, ref: str, values: Mapping[str, Any]) -> None:
        people = self.people
        self._write(people | {ref: {**people[ref], **values, "at_us": time.time_ns() // 1000}})

    def delete(self, ref: str) -> None:
        self._write({known: person for known, person in self.people.items() if known != ref})

    def state(self, ref: str) -> Mapping[str, Any] | None:
        person = self.people.get(ref)
        return None if person is None or person.get("archived") else person

    def count(self, field: str, value: str) -> int:
        return sum(person.get(field) == value for person in self.people.values() if not person.get("archived"))

    def _write(self, people: Mapping[str, Any]) -> None:
        self.path.write_text(json.dumps({"key": "right", "people": people}))


class TestJsonFile(ConnectorContract):
    object, fields, text_field, unique_field = "people", ("first_name", "last_name", "email"), "first_name", "email"
    wrong_secrets: ClassVar = {"key": "not-the-key"}
    refused: ClassVar = {"email": "no address"}

    @pytest.fixture
    def world(self, tmp_path: Path) -> File:
        return File(tmp_path / "people.json")

    @pytest.fixture
    def make(self, world: File) -> Callable[..., JsonFile]:
        return lambda **settings: JsonFile(Settings(**{"base_url": world.path.as_uri(), "secrets": {"key": "right"}, **settings}))

    def person(self, n: int) -> Mapping[str, Any]:
        return {"first_name": f"First{n}", "last_name": f"Last{n}", "email": f"person{n}@people.example"}
