"""Asked fields as typed structs, made once a mapping: decoding reads what was asked alone, at half the cost of a dict of everything.

Connectors import it. No I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec.structs import astuple


def asked(names: Sequence[str]) -> type[msgspec.Struct]:
    """A struct of these JSON names, in this order. A name that the vendor does not show stays UNSET: nobody saw it."""
    attributes = {f"f{number}": name for number, name in enumerate(names)}
    fields = [(attribute, Any, msgspec.UNSET) for attribute in attributes]
    return msgspec.defstruct("Asked", fields, rename=attributes, gc=False)


def shown(names: Sequence[str], values: msgspec.Struct) -> dict[str, Any]:
    """What an `asked` struct shows, under these names, which are as many as its fields."""
    found = dict(zip(names, astuple(values), strict=True))
    return without_unset(found)


def without_unset(found: dict[str, Any]) -> dict[str, Any]:
    """`found` without the names that hold UNSET."""
    if msgspec.UNSET in found.values():
        return {name: value for name, value in found.items() if value is not msgspec.UNSET}
    return found
