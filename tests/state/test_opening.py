"""Opening a database: new, old, newer, damaged, foreign; and what errors say."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlmodel import SQLModel

from state import schema
from state.database import Database, parse
from state.store import Store, SyncStore
from syncline.errors import UsageError
from tests.state.people import linked


def test_migrations_give_the_models_exactly_and_go_down_again(database_url: str) -> None:
    store = Store.open(database_url)
    created = _drawn(store)
    schema.migrate(store.database, "base")
    with store.database.read() as connection:
        assert set(sa.inspect(connection).get_table_names()) <= {"alembic_version"}
    schema.migrate(store.database, schema.HEAD)
    assert store.sync("again").checkpoint()[0] == 0
    with store.database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "render_as_batch": True})
        assert compare_metadata(context, SQLModel.metadata) == []
    assert _drawn(store) == created, "a new database and a migrated one are the same"
    store.close()


def _drawn(store: Store) -> dict[str, Any]:
    """Every table as the database itself describes it: columns, keys, indexes."""
    with store.database.read() as connection:
        inspector = sa.inspect(connection)
        return {
            name: (
                [{**column, "type": str(column["type"])} for column in inspector.get_columns(name)],
                inspector.get_pk_constraint(name),
                sorted(map(repr, inspector.get_foreign_keys(name))),
                sorted((i["name"], tuple(i["column_names"]), bool(i["unique"])) for i in inspector.get_indexes(name)),
            )
            for name in sorted(inspector.get_table_names())
        }


def test_the_schema_version_we_claim_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
    script = ScriptDirectory.from_config(config)
    assert script.get_current_head() == schema.HEAD
    assert {revision.revision for revision in script.walk_revisions()} == set(schema.KNOWN)


def test_a_newer_database_is_refused_and_says_what_to_do(store: Store, database_url: str) -> None:
    with store.database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(UsageError, match=r"newer Syncline.*upgrade"):
        Store.open(database_url)


def test_of_programs_that_open_a_new_database_at_one_moment_none_is_told_that_it_is_locked(tmp_path: Path) -> None:
    """Two schedules that start together, on the first day."""
    codes = [code for number in range(60) for code in _opened_at_once(tmp_path / f"{number}.sqlite", by=4)]
    assert codes == [0] * 240


def _opened_at_once(path: Path, by: int) -> list[int]:
    """Exit codes of so many processes that wait at one gate, then open this database."""
    gate, key = os.pipe()
    children = [_opening(path, gate, key) for _ in range(by)]
    os.close(gate)
    os.close(key)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def _opening(path: Path, gate: int, key: int) -> int:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(key)
            os.read(gate, 1)
            Store.open(str(path)).close()
            code = 0
        finally:
            os._exit(code)
    return child


def test_reopening_finds_what_was_stored(sync: SyncStore, database_url: str) -> None:
    contact = linked(sync)
    again = Store.open(database_url)
    assert again.sync_names() == ["contacts"]
    found = again.sync("contacts").load_contact(contact)
    assert found is not None
    assert found.view["tags"] == ("a", "b")
    assert found.sides["crm"].seen["tags"] == ["a", "b"]
    assert found.agreed_us == {"email": 100, "name": 100, "tags": 100}
    again.close()


def test_another_programs_database_is_refused_and_left_as_it_is(database_url: str) -> None:
    database = Database(database_url)
    with database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE contact (theirs INTEGER)")
    with pytest.raises(UsageError, match=r"tables of another program \(contact\); give Syncline a database of its own"):
        Store.open(database_url)
    with database.read() as connection:
        assert sa.inspect(connection).get_table_names() == ["contact"]
    database.close()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("this is not a database, and long enough to look like a page of one " * 20)
    with pytest.raises(UsageError, match="not a database"):
        Store.open(str(file))


def test_a_path_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot open"):
        Store.open(f"sqlite:///{tmp_path}/none/such.sqlite")


def test_a_new_file_belongs_to_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "new.sqlite"
    Store.open(str(file)).close()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("postgresql://u:p@host/db", "postgresql+psycopg"),
        ("postgres://host/db", "postgresql+psycopg"),
        ("sqlite:///x.sqlite", "sqlite"),
        ("x.sqlite", "sqlite"),
    ],
)
def test_urls(url: str, driver: str) -> None:
    assert parse(url).drivername == driver


@pytest.mark.parametrize("url", ["mysql://host/db", "sqlite://", "nonsense://"])
def test_urls_that_we_refuse(url: str) -> None:
    with pytest.raises(UsageError):
        Database(url)


def test_an_unreachable_postgres_is_named_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        Store.open(f"postgresql://someone:hush-hush@/db?host={tmp_path}")
    assert "hush-hush" not in str(caught.value)


def test_a_corrupt_row_is_named_by_table_and_key(sync: SyncStore, store: Store) -> None:
    contact = linked(sync)
    with store.database.write() as connection:
        connection.execute(sa.text('UPDATE record SET seen = \'{"email": "ann@peo\' WHERE side = 0'))
    with pytest.raises(UsageError, match="record crm/c-ann, seen") as caught:
        sync.load_contact(contact)
    assert "ann@" not in str(caught.value)


def test_a_failed_statement_does_not_print_its_values(sync: SyncStore, store: Store) -> None:
    linked(sync)
    query = sa.text(
        "INSERT INTO record (sync_id, side, ref, seen, liveness, dirty, staged, attempts) VALUES (1, 0, 'c-ann', :seen, 0, 0, 0, 0)"
    )
    with pytest.raises(sa.exc.IntegrityError) as caught, store.database.write() as connection:
        connection.execute(query, {"seen": '{"email": "ann@people.example"}'})
    assert "ann@people" not in str(caught.value)
