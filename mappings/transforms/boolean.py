"""Yes and no. Null is neither: it reads as blank."""

from __future__ import annotations

from typing import Any

from mappings.transforms.native import key, shows_nothing
from syncline.errors import Rejected
from syncline.lens import Step

READS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def boolean() -> Step:
    """Raises Rejected for a word that is neither."""
    return Step(get=_read, put=lambda value: value)


def _read(shown: Any) -> bool | None:
    if shows_nothing(shown):
        return None
    word = key(shown).lower()
    if word not in READS:
        raise Rejected("neither true nor false", detail=str(shown))
    return READS[word]
