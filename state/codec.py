"""Values in and out of columns: JSON text, sides, livenesses. Deterministic: the same value is always the same bytes.

A column that does not decode raises UsageError naming table, key and column, and never the value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from syncline.errors import UsageError
from syncline.records import SIDES, Liveness, Proof, Side

SIDE_NO: Mapping[Side, int] = {side: number for number, side in enumerate(SIDES)}
LIVENESSES: tuple[Liveness, ...] = ("live", "archived", "gone", "merged")
LIVENESS_NO: Mapping[Liveness, int] = {name: number for number, name in enumerate(LIVENESSES)}
LIVE = LIVENESS_NO["live"]

AS_SEEN = "="
"""A shadow that is just what was last seen, as most are: not stored twice, and nothing to write when it is confirmed."""

FEW = 3

Canonical = str | int | float | bool | tuple[str, ...] | None

_encode = msgspec.json.Encoder(order="deterministic").encode
_encode_as_is = msgspec.json.Encoder().encode
_native = msgspec.json.Decoder(dict[str, Any])
_view = msgspec.json.Decoder(dict[str, Canonical])
_names = msgspec.json.Decoder(dict[str, msgspec.Raw])
_times = msgspec.json.Decoder(dict[str, int | None])
_any = msgspec.json.Decoder()


def dumps(value: Any) -> str:
    """JSON text, keys sorted."""
    return _encode(value).decode()


def packed(value: Any) -> bytes:
    """JSON in bytes, as it comes."""
    return _encode_as_is(value)


def _decode(decoder: msgspec.json.Decoder[Any], text: str, where: str) -> Any:
    try:
        return decoder.decode(text)
    except (msgspec.DecodeError, TypeError):
        raise UsageError(f"the database is damaged: {where} cannot be read; restore a backup, then run a full sweep") from None


def loads(text: str, where: str = "a JSON column") -> Any:
    """Plain JSON values."""
    return _decode(_any, text, where)


def native(text: str, where: str) -> dict[str, Any]:
    """Native fields, as the vendor's JSON had them (sets are lists)."""
    return _decode(_native, text, where)  # type: ignore[no-any-return]


def view(text: str, where: str) -> dict[str, Canonical]:
    """Canonical fields (sets are tuples)."""
    return _decode(_view, text, where)  # type: ignore[no-any-return]


def shadow(stored: str, seen: str) -> str:
    """The text of a stored shadow."""
    return seen if stored == AS_SEEN else stored


def times_text(times: Mapping[str, int], view: str, where: str) -> str:
    """Field times, packed: `*` is the earliest, and only fields of `view` that differ from it are spelt out (null: no time).

    A few are spelt out alone: a new contact has a time for its consent and for nothing else.
    """
    if len(times) <= FEW:
        return dumps(times)
    names = _decode(_names, view, where)
    usual = min(times.values())
    if names.keys() <= times.keys() and max(times.values()) == usual:
        return f'{{"*":{usual}}}'
    packed: dict[str, int | None] = {name: times.get(name) for name in (*names, *times) if times.get(name) != usual}
    packed["*"] = usual
    return dumps(packed)


def times(text: str, names: Mapping[str, Any], where: str) -> dict[str, int]:
    """The inverse of `times_text`, given the same `names`."""
    packed: dict[str, int | None] = _decode(_times, text, where)
    if "*" not in packed:
        return packed  # type: ignore[return-value]
    usual = packed.pop("*")
    return {name: time for name, time in {**dict.fromkeys(names, usual), **packed}.items() if time is not None}


def proof_text(proof: Proof | None) -> str | None:
    """[source, at_us] or null."""
    return None if proof is None else dumps([proof.source, proof.at_us])


def proof(text: str | None, where: str) -> Proof | None:
    """The inverse of `proof_text`."""
    return None if text is None else Proof(*loads(text, where))
