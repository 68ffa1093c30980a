"""Asked fields as typed structs, made once a mapping: decoding reads what was asked alone. Connectors import this. No I/O.

Of a record that has not changed nobody looks at the fields: its bytes say so, and it is not decoded at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from syncline.errors import Unreachable
from syncline.records import Record


def asked(names: Sequence[str]) -> type[msgspec.Struct]:
    """A struct of these JSON names, in this order, as `f0`, `f1` … A name that the vendor does not show stays UNSET: nobody saw it."""
    attributes = {f"f{number}": name for number, name in enumerate(names)}
    fields = [(attribute, Any, msgspec.UNSET) for attribute in attributes]
    return msgspec.defstruct("Asked", fields, rename=attributes, gc=False)


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
