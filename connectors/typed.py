"""Asked fields as typed structs, made once a mapping: decoding reads what was asked alone, and a dict is built only when somebody looks.

Of a record that has not changed nobody looks at the fields: its `mark` says so. Connectors import this. No I/O.
"""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterator, KeysView, Mapping, Sequence, ValuesView
from typing import Any

import msgspec

from syncline.errors import Unreachable
from syncline.records import Record

mark = msgspec.json.Encoder().encode
"""The mark of a record, from the struct that holds its asked fields and nothing that changes by itself."""


def asked(names: Sequence[str]) -> type[msgspec.Struct]:
    """A struct of these JSON names, in this order, as `f0`, `f1` … A name that the vendor does not show stays UNSET: nobody saw it."""
    attributes = {f"f{number}": name for number, name in enumerate(names)}
    fields = [(attribute, Any, msgspec.UNSET) for attribute in attributes]
    return msgspec.defstruct("Asked", fields, rename=attributes, gc=False)


class Shown(Mapping[str, Any]):
    """Native fields that `read` makes of `source` at the first look. Names that hold UNSET were not shown."""

    __slots__ = ("_found", "_read", "_source")

    def __init__(self, read: Callable[[Any], dict[str, Any]], source: Any) -> None:
        self._read, self._source = read, source
        self._found: dict[str, Any] | None = None

    def __getitem__(self, name: str) -> Any:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    # The general forms of a Mapping look every name up by itself; these hand the found ones over.
    def items(self) -> ItemsView[str, Any]:
        return self._all().items()

    def keys(self) -> KeysView[str]:
        return self._all().keys()

    def values(self) -> ValuesView[Any]:
        return self._all().values()

    def get(self, name: str, default: Any = None) -> Any:
        return self._all().get(name, default)

    def __repr__(self) -> str:
        return repr(self._all())

    def _all(self) -> dict[str, Any]:
        if self._found is None:
            found = self._read(self._source)
            self._found = {name: value for name, value in found.items() if value is not msgspec.UNSET}
            self._source = None
        return self._found


def named(rows: Sequence[bytes], ref: Callable[[bytes], str], title: str) -> list[tuple[str, bytes]]:
    """`Page.raw` of these rows. Raises Unreachable when one of them is no record."""
    try:
        return [(ref(row), row) for row in rows]
    except msgspec.DecodeError:
        problem = _strange(title)
    raise problem


class Unread(Sequence[Record]):
    """The records of a page, each decoded only when somebody asks for it: of an unchanged one its bytes have said enough."""

    def __init__(self, rows: Sequence[bytes], read: Callable[[bytes], Record], title: str) -> None:
        self._rows, self._read, self._title = rows, read, title

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        try:
            return self._read(self._rows[index])
        except msgspec.DecodeError:
            problem = _strange(self._title)
        raise problem


def _strange(title: str) -> Unreachable:
    return Unreachable(f"{title}: a record of its answer has not the expected shape")
