"""Asked fields as typed structs, made once a mapping: decoding reads what was asked alone. Connectors import this. No I/O.

What was decoded is not made into a dict: that costs as much as decoding it, and of most records only a key and the JSON are wanted.
Of a record that has not changed nobody looks at the fields: its bytes say so, and it is not decoded at all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, ItemsView, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

import msgspec
from msgspec.structs import astuple

from syncline.errors import Unreachable
from syncline.records import Record

UNSET = msgspec.UNSET
_encode = msgspec.json.Encoder().encode


def asked(names: Sequence[str]) -> type[msgspec.Struct]:
    """A struct of these JSON names, in this order, as `f0`, `f1` … A name that the vendor does not show stays UNSET: nobody saw it."""
    attributes = {f"f{number}": name for number, name in enumerate(names)}
    fields = [(attribute, Any, msgspec.UNSET) for attribute in attributes]
    return msgspec.defstruct("Asked", fields, rename=attributes, gc=False)


class Shown(Mapping[str, Any]):
    """The asked fields that one record shows, in the order asked. Made by `layout`."""

    __slots__ = ("_at", "_names", "_row")

    def __init__(self, at: Mapping[str, str], row: msgspec.Struct) -> None:
        self._at, self._row = at, row
        self._names: Collection[str] | None = None

    def __getitem__(self, name: str) -> Any:
        value = getattr(self._row, self._at[name])
        if value is UNSET:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self._shown())

    def __len__(self) -> int:
        return len(self._shown())

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Mapping) and self.whole() == dict(other.items()))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self.whole())

    def items(self) -> ItemsView[str, Any]:
        return self.whole().items()

    def whole(self) -> dict[str, Any]:
        """All of it, looked up once."""
        return {name: value for name, value in zip(self._at, astuple(self._row), strict=True) if value is not UNSET}

    def json(self) -> bytes:
        """All of it, as the encoder would write the dict."""
        return _encode(self._row)

    def _shown(self) -> Collection[str]:
        if self._names is None:
            self._names = list(self.whole()) if UNSET in astuple(self._row) else self._at
        return self._names


@lru_cache(maxsize=16)
def layout(names: tuple[str, ...]) -> Callable[..., Shown]:
    """Values in the order of `names`, UNSET where the vendor showed none → what they show."""
    row = asked(names)
    at = dict(zip(names, row.__struct_fields__, strict=True))
    return lambda *values: Shown(at, row(*values))


def picker(positions: Sequence[int]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """Picks the values at these positions, however few they are."""
    return itemgetter(*positions) if len(positions) > 1 else lambda values: [values[at] for at in positions]


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
