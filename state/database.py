"""Connections and transactions, alike on SQLite and Postgres. `state` alone imports this.

SQLite: WAL with synchronous=FULL, because "sending" must be on disk before a write leaves the house, and a transaction is a whole page or
chunk, so the flush costs nothing per record. Python's driver would begin transactions by its own rules; we say BEGIN (IMMEDIATE) ourselves.
Hot statements are compiled to text once and run by the driver's `executemany`: half the cost of letting SQLAlchemy look at every row.
Rows given as tuples are bound by position, which costs the driver a third of binding by name; and SQLite inserts them a block at a time,
each value that all of them share bound once: a step and a bind take its mutex and ours.
"""

# ruff: noqa: S608  (statements are put together from literals of this module; values are always bound)

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, count
from types import NoneType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

from state.statements import Connection, statements
from syncline.errors import UsageError

PRAGMAS = (
    # Rows are a kilobyte or two, and a vendor's refs may come in any order: a page holds a few rows, and few pages are written for one ref.
    # Must come first.
    "page_size=8192", "busy_timeout=10000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-10000",
    "secure_delete=ON", "temp_store=MEMORY",
    # 64 MB of journal: the pages that a first load writes again and again reach the database once for many times.
    "wal_autocheckpoint=8000",
)  # fmt: skip

SCRUB = ("PRAGMA temp_store=FILE", "VACUUM", "PRAGMA temp_store=MEMORY", "PRAGMA wal_checkpoint(TRUNCATE)")
"""What was deleted is overwritten, but a page that was split or packed before may hold older copies of its rows: all is written anew."""

# The driver asks every null and every blob for a way to adapt it, by looking for two attributes that are not there. These answer at once.
sqlite3.register_adapter(bytes, bytes)
sqlite3.register_adapter(NoneType, {}.get)

BLOCK = 50
"""Rows inserted by one statement: more gain nothing, and a page of a vendor's is a few of them."""

Row = dict[str, Any]
Values = tuple[Any, ...]
Alike = tuple[int, ...]


class each(FunctionElement[Any]):
    """The elements of a JSON array of text, one row each: how a list of any length travels as one parameter."""

    name = "each"
    inherit_cache = True


@compiles(each, "sqlite")
def _each_sqlite(element: each, compiler: Any, **options: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **options)})"


@compiles(each, "postgresql")
def _each_postgres(element: each, compiler: Any, **options: Any) -> str:
    return f"json_array_elements_text(CAST({compiler.process(element.clauses, **options)} AS JSON))"


def among(column: sa.ColumnElement[Any], parameter: str) -> sa.ColumnElement[bool]:
    """`column` is one of the JSON array bound as `parameter`."""
    return column.in_(sa.select(sa.cast(elements(parameter), column.type)))


def elements(parameter: str) -> sa.ColumnElement[Any]:
    """The elements of the JSON array bound as `parameter`, to be selected."""
    return each(sa.bindparam(parameter, type_=sa.Text)).table_valued("value").c.value


def upsert(table: sa.Table, columns: Sequence[str], keys: Sequence[str], update: Sequence[str]) -> sa.TextClause:
    """Insert, or set `update` where a row with these `keys` is there; the same words in both dialects."""
    values = ", ".join(f":{name}" for name in columns)
    changes = ", ".join(f"{name} = excluded.{name}" for name in update)
    return sa.text(
        f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({values}) ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changes}"
    )


def insert(table: sa.Table, columns: Sequence[str]) -> sa.TextClause:
    """Insert rows given as tuples of these columns."""
    return sa.text(f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({', '.join(f':{name}' for name in columns)})")


class Database:
    """One database. Safe to share between threads; every transaction has its own connection.

    Connections to a file stay open between transactions: taking one from the pool and giving it back costs more than a small statement.
    The last one used is the next: what one connection writes is in its own cache, and makes every other's void.
    Those to a server go back to the pool, which asks whether they still stand.
    """

    def __init__(self, url: str) -> None:
        self.url = parse(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        if self.sqlite:
            _private_file(self.url)
        options: dict[str, Any] = {"paramstyle": "named"} if self.sqlite else {"pool_pre_ping": True}
        self.engine = sa.create_engine(self.url, hide_parameters=True, **options)
        dialect: Any = type(self.engine.dialect)
        self._by_position = dialect(paramstyle="qmark" if self.sqlite else "format")
        self._sql: dict[Any, tuple[Any, str]] = {}
        self.statements = statements(self.engine)
        self._idle: list[sa.Connection] = []
        if self.sqlite:
            sa.event.listen(self.engine, "connect", _pragmas)
            sa.event.listen(self.engine, "begin", _begin)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """One view of the database. Raises UsageError when it cannot be used (gone, locked, full, damaged)."""
        with self._named_errors(), self._connection(write=False) as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """One transaction that takes SQLite's write lock at once, so that it can never fail half-way for want of it."""
        with self._named_errors(), self._connection(write=True) as connection, connection.begin():
            yield connection

    @contextmanager
    def _connection(self, write: bool) -> Iterator[sa.Connection]:
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self.engine.connect()
        try:
            yield connection.execution_options(syncline_write=write)
        except BaseException:
            connection.close()
            raise
        if self.sqlite:
            self._idle.append(connection)
        else:
            connection.close()

    def many(self, connection: Connection, statement: sa.ClauseElement, rows: Sequence[Row | Values]) -> None:
        """Run a statement for every row: a dict of all its parameters, or a tuple of them in the order the statement names them.

        It is compiled once, and so must live as long as its module.
        """
        if rows and isinstance(rows[0], dict):
            connection.exec_driver_sql(self._kept(statement, self.engine.dialect), list(rows))
        elif rows:
            self._by_place(connection, statement, rows)

    def _by_place(self, connection: Connection, statement: sa.ClauseElement, rows: Sequence[Any]) -> None:
        text, width = self._kept(statement, self._by_position), len(rows[0])
        if self.sqlite and len(rows) >= BLOCK and (one := f"VALUES ({', '.join('?' * width)})") in text:
            alike, blocks = _blocks(rows)
            held = self._sql.get((id(statement), alike))
            if held is None:
                held = self._sql[id(statement), alike] = (statement, text.replace(one, _numbered(width, alike)))
            connection.exec_driver_sql(held[1], blocks)
            rows = rows[len(blocks) * BLOCK :]
        if rows:
            connection.exec_driver_sql(text, list(rows))

    def _kept(self, statement: sa.ClauseElement, dialect: Any) -> str:
        held = self._sql.get((id(statement), dialect.paramstyle))
        if held is None:
            held = self._sql[id(statement), dialect.paramstyle] = (statement, str(statement.compile(dialect=dialect)))
        return held[1]

    def scrub(self) -> None:
        """After an erasure: leave no old row version behind, neither in the file nor in its journal."""
        with self._named_errors(), self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            if not self.sqlite:
                connection.exec_driver_sql("VACUUM")
                return
            driver: Any = connection.connection.dbapi_connection  # past SQLAlchemy, which would begin a transaction
            for statement in SCRUB:
                driver.execute(statement)

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()
        self.engine.dispose()

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        """The driver's first line says what is wrong with the database, without values; a broken statement of ours stays a traceback."""
        driver: Any = self.engine.dialect.dbapi
        try:
            yield
        except (sa.exc.DBAPIError, driver.Error) as error:
            cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
            if type(cause) is not driver.DatabaseError and not isinstance(cause, driver.OperationalError):
                raise
            said = (str(cause).strip().splitlines() or [type(cause).__name__])[0]
            raise UsageError(f"cannot use the database: {said}") from None


def _blocks(rows: Sequence[Any]) -> tuple[Alike, list[Values]]:
    """Positions that hold the same in every row; and the values of each whole block: those first, then what is left of its rows."""
    columns = list(zip(*rows, strict=True))
    alike = tuple(at for at, column in enumerate(columns) if column.count(column[0]) == len(rows))
    shared = tuple(rows[0][at] for at in alike)
    left = list(zip(*(column for at, column in enumerate(columns) if at not in alike), strict=True))
    starts = range(0, len(rows) - len(rows) % BLOCK, BLOCK)
    return alike, [(*shared, *chain.from_iterable(left[start : start + BLOCK])) for start in starts]


def _numbered(width: int, alike: Alike) -> str:
    """The VALUES of a block of rows, for what `_blocks` gives."""
    shared, following = {at: number for number, at in enumerate(alike, 1)}, count(len(alike) + 1)
    rows = ([f"?{shared[at] if at in shared else next(following)}" for at in range(width)] for _ in range(BLOCK))
    return "VALUES " + ", ".join(f"({', '.join(row)})" for row in rows)


def parse(url: str) -> URL:
    """A database URL, or a bare path of a SQLite file. Raises UsageError."""
    try:
        parsed = make_url(url if "://" in url else f"sqlite:///{url}")
    except sa.exc.ArgumentError:
        raise UsageError("SYNCLINE_DATABASE_URL is not a database URL; use sqlite:///file or postgresql://host/name") from None
    if parsed.drivername in ("postgres", "postgresql"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise UsageError(f"{parsed.get_backend_name()} is not supported; use sqlite:///file or postgresql://host/name")
    return parsed


def _private_file(url: URL) -> None:
    """People's data: a new database file is readable by its owner alone."""
    if not url.database:
        raise UsageError("a SQLite database needs a file: sqlite:///file")
    try:
        os.close(os.open(url.database, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise UsageError(f"cannot open the database {url.database}: {error.strerror}") from None


def _pragmas(dbapi_connection: Any, _record: Any) -> None:
    dbapi_connection.isolation_level = None
    for pragma in PRAGMAS:
        _patient(dbapi_connection.execute, f"PRAGMA {pragma}")


def _is_busy(error: BaseException) -> bool:
    return isinstance(error, sqlite3.OperationalError) and getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


_patient = Retrying(retry=retry_if_exception(_is_busy), wait=wait_random(0.005, 0.05), stop=stop_after_delay(10), reraise=True)
"""Of programs that turn a new file to WAL at one moment, all but one are told "locked" at once: SQLite's own waiting is not for that."""


def _begin(connection: sa.Connection) -> None:
    write = connection.get_execution_options().get("syncline_write")
    connection.connection.dbapi_connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
