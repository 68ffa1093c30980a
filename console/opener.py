"""Opens one sync's memory by its mapping alone: no connector built, no credential needed, no call made. `questions` and `demo` use it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from connectors.registry import connector_class
from flows.settings import CHECKPOINTS, database_url, now_us, read_checkpoints
from mappings.compile import compile_mapping
from mappings.load import LoadedMapping, load
from state.status import Alone
from state.store import Store, SyncStore
from syncline.errors import UsageError
from syncline.mapping import CompiledMapping
from syncline.planner import Traits
from syncline.ports import Schema
from syncline.records import MISSING, SIDES, Side

NUMBER = re.compile("[0-9]{1,18}")
"""What can be a contact's number: anything longer is none that a database holds."""


@dataclass(frozen=True, slots=True)
class Opened:
    """One sync, for questions. `mapping` is compiled against what both systems said last."""

    loaded: LoadedMapping
    mapping: CompiledMapping
    sync: SyncStore

    @property
    def name(self) -> str:
        return self.mapping.name

    def traits(self) -> dict[Side, Traits]:
        """As a run would see them, with clocks taken to be right: nobody is asked the time."""
        found = {}
        for side in SIDES:
            kind = connector_class(self.mapping.sides[side].connector)
            found[side] = Traits(kind.capabilities.evidence, tuple(kind.anchors), kind.capabilities.can_restore)
        return found

    def contact_ids(self, key: str) -> list[int]:
        """As `known`; raises UsageError when there are none."""
        found = self.known(key)
        if not found:
            raise UsageError("nobody here is known by that number or address; only linked contacts are")
        return found

    def known(self, key: str) -> list[int]:
        """Contacts meant by their number, or by a match key such as an address (or a number)."""
        number = int(key) if NUMBER.fullmatch(key) else None
        if number is not None and self.sync.load_contact(number) is not None:
            return [number]
        return sorted({i for wanted in self._keys(key) for i in self.sync.find_contact(wanted)})

    def alone(self, key: str) -> list[Alone]:
        """Records with that match key that are linked with nobody."""
        return [each for wanted in sorted(self._keys(key)) for each in self.sync.alone(wanted)]

    def _keys(self, key: str) -> set[str]:
        """The text as each match field would compare it."""
        said = {self.mapping.field(match.field).canon(key) for match in self.mapping.match}
        return {str(each) for each in said if each is not None and each is not MISSING}

    def checkpoints(self) -> list[tuple[int, str]]:
        """What was kept of the log outside the database."""
        named = os.environ.get(CHECKPOINTS, "").strip()
        return read_checkpoints(Path(named) if named else Path.cwd() / ".syncline" / "checkpoints.jsonl", self.name)

    def now_us(self) -> int:
        return now_us()


@contextmanager
def open_sync(mapping: str | Path) -> Iterator[Opened]:
    """Raises MappingError, UsageError."""
    loaded = load(mapping)
    store = Store.open(database_url(os.environ, Path.cwd()))
    try:
        sync = store.sync(loaded.model.name)
        schemas = {side: schema for side in SIDES if (schema := _schema(sync, side)) is not None}
        owners = {side: dict(schema.owners) for side, schema in schemas.items()}
        yield Opened(loaded, compile_mapping(loaded, owners, schemas), sync)
    finally:
        store.close()


def _schema(sync: SyncStore, side: Side) -> Schema | None:
    stored = sync.schema_json(side)
    return None if stored is None else msgspec.json.decode(stored[0], type=Schema)
