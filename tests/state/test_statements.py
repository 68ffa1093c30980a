"""Statements that the driver runs itself give what SQLAlchemy would have given."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from state.database import BLOCK, upsert
from state.store import Store
from state.tables import HOLD, RECORD

BUILT = sa.select(HOLD.c.code, HOLD.c.reason).where(HOLD.c.open == 1, HOLD.c.sync_id == sa.bindparam("s"))
COLUMNS = ("sync_id", "side", "ref", "key_1", "key_2", "seen", "liveness", "dirty", "staged", "attempts")
KEYED = upsert(RECORD, COLUMNS, COLUMNS[:3], COLUMNS[3:])
CLEARED = sa.update(RECORD).where(RECORD.c.sync_id == sa.bindparam("s")).values(shadow=None)


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_built_statement_gives_the_same_at_every_use(store: Store, times: int) -> None:
    scope = store.sync("contacts")._scope
    for _ in range(times):
        with scope.write() as connection:
            assert list(connection.execute(BUILT, {"s": scope.sync_id})) == []
            assert connection.execute(CLEARED, {"s": scope.sync_id}).rowcount == 0


def test_rows_have_names_and_scalars_have_none(store: Store) -> None:
    with store.sync("contacts")._scope.read() as connection:
        query = sa.text("SELECT name, COUNT(*) AS n FROM sync GROUP BY name")
        assert [(row.name, row.n) for row in connection.execute(query)] == [("contacts", 1)]
        assert connection.execute(query).one() == connection.execute(query).first() == ("contacts", 1)
        assert connection.execute(query).scalar() == connection.execute(query).scalar_one() == "contacts"
        nothing = sa.text("SELECT name FROM sync WHERE name = :name")
        assert connection.execute(nothing, {"name": "x"}).first() is connection.execute(nothing, {"name": "x"}).scalar() is None
        with pytest.raises(ValueError, match="unpack"):
            connection.execute(nothing, {"name": "x"}).one()


def test_a_value_that_is_missing_is_no_null(store: Store) -> None:
    scope = store.sync("contacts")._scope
    for statement in (sa.text("SELECT name FROM sync WHERE id = :s"), *([BUILT] * 2)):
        with pytest.raises(Exception, match="s"), scope.read() as connection:
            connection.execute(statement, {})


@pytest.mark.parametrize("keys", [(None, None), ("a", None), (None, "b")])
def test_rows_with_nulls_are_stored_as_given(store: Store, keys: tuple[str | None, str | None]) -> None:
    scope = store.sync("contacts")._scope
    wanted = [(str(number), key, 0) for number, key in enumerate(keys)]
    with scope.write() as connection:
        for shown in ("x", None):  # the second time over rows that hold something
            rows = [
                (scope.sync_id, 0, ref, key if shown is None else shown, None, "{}", 0, 0, 1, attempts) for ref, key, attempts in wanted
            ]
            scope.db.many(connection, KEYED, rows)
    with scope.read() as connection:
        assert [tuple(row) for row in connection.execute(sa.text("SELECT ref, key_1, attempts FROM record ORDER BY ref"))] == wanted


@pytest.mark.parametrize("many", [BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7])
@pytest.mark.parametrize("kinds", [1, 2])
def test_rows_of_any_number_are_stored_in_their_order(store: Store, many: int, kinds: int) -> None:
    """Whatever all of them share, and also where the last of a ref's rows is to stay."""
    scope = store.sync("contacts")._scope
    refs = [f"{number:05}" for number in range(many)]
    rows = [(scope.sync_id, 0, ref, None, f"k{at % kinds}", "{}", 0, 1, 1, at) for at, ref in enumerate(refs)]
    with scope.write() as connection:
        scope.db.many(connection, KEYED, [(*row[:-1], -1) for row in rows] + rows)
    with scope.read() as connection:
        found = connection.execute(sa.text("SELECT ref, key_1, key_2, attempts FROM record ORDER BY ref"))
        assert [tuple(row) for row in found] == [(ref, None, f"k{at % kinds}", at) for at, ref in enumerate(refs)]


def test_one_statement_takes_rows_by_name_and_by_position(store: Store) -> None:
    """Whoever came first has had it compiled in one way; the other way is another text."""
    scope = store.sync("contacts")._scope
    rows = [(scope.sync_id, 0, ref, None, None, "{}", 0, 0, 0, 0) for ref in ("a", "b")]
    with scope.write() as connection:
        scope.db.many(connection, KEYED, rows[:1])
        scope.db.many(connection, KEYED, [dict(zip(COLUMNS, rows[1], strict=True))])
        scope.db.many(connection, KEYED, rows[:1])
    assert store.sync("contacts").live_count("crm") == 2
