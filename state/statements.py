"""Running statements without what SQLAlchemy does around each: compiled once, bound and fetched by the driver. `state` alone imports this.

A quiet round is a hundred small statements and little else. SQLAlchemy still makes the words of both dialects, and keeps connections and
transactions; a row comes back as the driver's tuple under the column's names.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import sqlalchemy as sa


class Ready(NamedTuple):
    """A statement's text in one dialect, and the values it carries itself."""

    text: str
    own: Mapping[str, Any]


class Statements:
    """Compiled statements of one kind of database.

    Texts are few and kept by their words. Built ones are kept from their second use on, for as long as they live: what is built for one
    question only is SQLAlchemy's affair.
    """

    def __init__(self, dialect: sa.Dialect) -> None:
        self._dialect = dialect
        self._texts: dict[str, Ready] = {}
        self._built: WeakKeyDictionary[Any, Ready | None] = WeakKeyDictionary()

    def ready(self, statement: Any) -> Ready | None:
        """The statement ready to run, or None when SQLAlchemy must run it."""
        if isinstance(statement, sa.TextClause):
            found = self._texts.get(statement.text)
            if found is None:
                found = self._texts[statement.text] = self._compiled(statement)
            return found
        if isinstance(statement, sa.Insert):
            return None  # its words depend on the values
        if statement not in self._built:
            self._built[statement] = None
            return None
        ready = self._built[statement]
        if ready is None:
            ready = self._built[statement] = self._compiled(statement)
        return ready

    def _compiled(self, statement: Any) -> Ready:
        compiled = statement.compile(dialect=self._dialect)
        assert "POSTCOMPILE" not in str(compiled), "a list of literals is spelt out by SQLAlchemy alone; say sa.or_"
        own = {name: bind.effective_value for name, bind in compiled.binds.items() if not bind.required}
        return Ready(str(compiled), own)


@cache
def _of(dialect: type[sa.Dialect], paramstyle: str) -> Statements:
    return Statements(dialect(paramstyle=paramstyle))


def statements(engine: sa.Engine) -> Statements:
    """The compiled statements of this kind of database: its words are the same wherever it is."""
    return _of(type(engine.dialect), engine.dialect.paramstyle)


class Connection:
    """One open transaction."""

    def __init__(self, plain: sa.Connection, statements: Statements) -> None:
        self._plain, self._statements = plain, statements
        self._driver: Any = plain.connection.dbapi_connection
        self.exec_driver_sql = plain.exec_driver_sql

    def execute(self, statement: Any, values: Mapping[str, Any] | None = None) -> Any:
        """As SQLAlchemy's, for what the store asks of it: one set of values, rows as named tuples."""
        ready = self._statements.ready(statement)
        if ready is None:
            return self._plain.execute(statement, values)
        cursor = self._driver.cursor()
        cursor.execute(ready.text, {**ready.own, **values} if values else ready.own)
        return Result(cursor)


class Result:
    """What a statement gave."""

    __slots__ = ("cursor",)

    def __init__(self, cursor: Any) -> None:
        self.cursor = cursor

    @property
    def rowcount(self) -> int:
        return int(self.cursor.rowcount)

    def all(self) -> list[Any]:
        rows = self.cursor.fetchall()
        return list(map(_named(tuple(column[0] for column in self.cursor.description))._make, rows)) if rows else []

    def __iter__(self) -> Iterator[Any]:
        return iter(self.all())

    def first(self) -> Any:
        rows = self.all()
        return rows[0] if rows else None

    def one(self) -> Any:
        [row] = self.all()
        return row

    def scalars(self) -> Sequence[Any]:
        return [row[0] for row in self.cursor.fetchall()]

    def scalar(self) -> Any:
        found = self.cursor.fetchall()
        return found[0][0] if found else None

    def scalar_one(self) -> Any:
        [row] = self.cursor.fetchall()
        return row[0]


@lru_cache(maxsize=512)
def _named(columns: tuple[str, ...]) -> Any:
    return namedtuple("Row", columns, rename=True)
