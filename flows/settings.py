"""What a run is given: the mapping, the store, both connectors, a clock. Built once, from files and the environment, by flows and console.

Secrets are read here and go straight into the connectors' settings: they are never stored, printed or passed on.
"""

from __future__ import annotations

import gc
import json
import os
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from connectors.registry import build, settings_from_env
from mappings.check import Problem, lint
from mappings.compile import compile_mapping
from mappings.load import LoadedMapping, load
from state.store import Store, SyncStore
from syncline.errors import MappingError, UsageError
from syncline.mapping import CompiledMapping
from syncline.planner import Traits
from syncline.ports import Connector, FieldInfo, Schema
from syncline.records import SIDES, Side

DATABASE = "SYNCLINE_DATABASE_URL"
CHECKPOINTS = "SYNCLINE_CHECKPOINTS"
CALL_BUDGET = "SYNCLINE_CALL_BUDGET"
QUIET = (20_000, 20, 20)
"""How often the garbage collector looks, once everything is loaded."""
SCHEMA_AGE_US = 24 * 3600 * 1_000_000
"""How long a described schema is trusted before the next run asks again; a sweep always asks."""


def now_us() -> int:
    """Our clock: microseconds since 1970, UTC."""
    return time.time_ns() // 1000


def holder() -> str:
    """Who we are in the lease: host and process."""
    return f"{socket.gethostname()}:{os.getpid()}"


@dataclass(slots=True)
class Context:
    """One sync, ready to run. `mapping` is compiled against both schemas; `close` it when done.

    With a `clock` and `random_bytes` of its own, and both sides polled `in_turn`, the same history gives the same log, byte for byte.
    """

    loaded: LoadedMapping
    store: Store
    sync: SyncStore
    connectors: Mapping[Side, Connector]
    checkpoints: Path | None = None
    clock: Callable[[], int] = now_us
    random_bytes: Callable[[int], bytes] = secrets.token_bytes
    in_turn: bool = False
    schemas: dict[Side, Schema] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    mapping: CompiledMapping = field(init=False)

    def __post_init__(self) -> None:
        self.mapping = compile_mapping(self.loaded)

    def try_out(self) -> None:
        """From here on work on a trial copy of the sync, which `close` removes: for a plan under a mapping that was never adopted."""
        self.sync = self.store.fork(self.loaded.model.name)

    def close(self) -> None:
        """Frees the connectors and the database."""
        if self.sync.name != self.loaded.model.name:
            self.store.drop_fork(self.loaded.model.name)
        for connector in self.connectors.values():
            connector.close()
        self.store.close()

    def traits(self) -> dict[Side, Traits]:
        """What the planner must know of each side's connector, its clock as last measured."""
        return {
            side: Traits(c.capabilities.evidence, tuple(c.anchors), c.capabilities.can_restore, c.clock_offset_us)
            for side, c in self.connectors.items()
        }


def database_url(environ: Mapping[str, str], folder: Path) -> str:
    """The database of this project: SYNCLINE_DATABASE_URL, or a SQLite file beside the mapping's project."""
    url = environ.get(DATABASE, "").strip()
    if url:
        return url
    place = folder / ".syncline"
    place.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{place / 'state.sqlite'}"


def open_context(mapping_path: str | Path, environ: Mapping[str, str] | None = None, folder: Path | None = None) -> Context:
    """Everything a run needs. Raises MappingError, UsageError; makes no call to either system."""
    environ = os.environ if environ is None else environ
    folder = folder or Path.cwd()
    loaded = load(mapping_path)
    budget = _call_budget(environ)
    built: dict[Side, Connector] = {}
    for side in SIDES:
        spec = getattr(loaded.model.sides, side)
        settings = settings_from_env(spec.connector, spec.options, environ, call_budget=budget)
        built[side] = build(spec.connector, settings)
    store = Store.open(database_url(environ, folder))
    _quiet_collector()
    checkpoints = environ.get(CHECKPOINTS, "").strip()
    path = Path(checkpoints) if checkpoints else folder / ".syncline" / "checkpoints.jsonl"
    return Context(loaded, store, store.sync(loaded.model.name), built, path)


def _quiet_collector() -> None:
    """What is loaded by now stays for good: the collector need not walk through it again and again while pages of records come and go."""
    if gc.get_threshold() != QUIET:  # asking how many are frozen would count them one by one
        gc.freeze()
        gc.set_threshold(*QUIET)


def _call_budget(environ: Mapping[str, str]) -> int | None:
    text = environ.get(CALL_BUDGET, "").strip()
    if text and not (text.isdecimal() and int(text)):
        raise UsageError(f"{CALL_BUDGET} must be a whole number of calls, 1 or more")
    return int(text) if text else None


def prepare(context: Context, *, fresh: bool = False) -> list[Problem]:
    """Describe both sides (from the cache while it is young), lint, and compile against them, unless they say what they said before.

    Raises MappingError for what cannot run.
    """
    schemas = {side: _schema(context, side, connector, fresh) for side, connector in context.connectors.items()}
    if schemas != context.schemas:
        capabilities = {side: connector.capabilities for side, connector in context.connectors.items()}
        problems = lint(context.loaded, schemas, capabilities)
        errors = tuple(str(problem) for problem in problems if problem.severity == "error")
        if errors:
            raise MappingError(errors)
        owners = {side: dict(schema.owners) for side, schema in schemas.items()}
        context.mapping = compile_mapping(context.loaded, owners, schemas)
        context.schemas, context.problems = schemas, problems
    return context.problems


def _schema(context: Context, side: Side, connector: Connector, fresh: bool) -> Schema:
    cached = None if fresh else context.sync.schema_json(side)
    now = context.clock()
    object_name = context.mapping.sides[side].object
    if cached is not None and now - cached[1] < SCHEMA_AGE_US:
        schema = msgspec.json.decode(cached[0], type=_StoredSchema)
        if schema.object == object_name and schema.connector == connector.name:
            return Schema(schema.object, schema.fields, schema.owners)
    described = connector.describe(object_name)
    stored = _StoredSchema(connector.name, described.object, dict(described.fields), dict(described.owners))
    context.sync.save_schema(side, msgspec.json.encode(stored).decode(), now)
    return described


@dataclass(frozen=True, slots=True)
class _StoredSchema:
    connector: str
    object: str
    fields: dict[str, FieldInfo]
    owners: dict[str, str]


def checkpoint(context: Context) -> None:
    """Write the log's size and root to a file outside the database, so that a cut or rewritten log shows."""
    if context.checkpoints is None:
        return
    size, root = context.sync.checkpoint()
    last = read_checkpoints(context.checkpoints, context.loaded.model.name)
    if size == 0 or (last and last[-1] == (size, root)):
        return
    context.checkpoints.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps({"sync": context.loaded.model.name, "size": size, "root": root, "at_us": context.clock()})
    with context.checkpoints.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())


def read_checkpoints(path: Path | None, sync: str) -> list[tuple[int, str]]:
    """The checkpoints of one sync, oldest first, as (size, root in hex). A half-written last line is passed over."""
    if path is None or not path.exists():
        return []
    found = []
    with closing(path.open(encoding="utf-8")) as file:
        for line in file:
            try:
                data = json.loads(line)
            except ValueError:
                continue
            if data.get("sync") == sync:
                found.append((int(data["size"]), str(data["root"])))
    return found
