"""First and last name inside one full name. A rule of thumb, so it is told apart from fact: what cannot be read back is refused.

The last word is the last name, together with particles before it (`van der Berg`); `Berg, Ann` is read the other way round. Where that
would split a name in the wrong place, its words are written with no-break spaces between (`Federico García Lorca`): people see no
difference, and it is read back right. `put` replaces its own part and leaves the other. Two fields share one native here: whoever writes
both must put the second onto the result of the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal

from mappings.transforms.focus import Get, PutBeside
from mappings.transforms.text import text
from syncline.errors import Rejected

Part = Literal["first", "last"]
READ = text().get
NO_BREAK = "\u00a0"
BREAKS = re.compile(rf"[^\S{NO_BREAK}]+")
PARTICLES = frozenset(
    {"al", "bin", "da", "de", "del", "della", "den", "der", "di", "dos", "du", "el", "la", "le"}
    | {"mac", "mc", "ní", "o", "st", "ten", "ter", "van", "von", "zu"}
)


def name_part(part: Part) -> tuple[Get, PutBeside]:
    """(get, put beside what is shown). `put` raises Rejected where the full name would be read back differently."""
    index = ("first", "last").index(part)

    def write(value: str | None, shown: Any) -> str | None:
        full = READ(shown) if isinstance(shown, str) else None
        parts = list(_parts(full or ""))
        parts[index] = " ".join((value or "").split())
        spelled = (joined for joined in _spellings(*parts, comma="," in (full or "")) if list(_parts(joined)) == parts)
        found = next(spelled, None)
        if found is None:
            raise Rejected(f"a {part} name that could not be told apart again within the full name", detail=value or "nothing")
        return found or None

    return lambda shown: _parts(READ(shown) or "")[index] or None, write


def _parts(full: str) -> tuple[str, str]:
    """(first, last), each with single plain spaces."""
    if full.count(",") == 1:
        last, first = full.split(",")
        return _plain(first), _plain(last)
    words = BREAKS.split(full.strip())
    start = len(words) - 1
    while start > 1 and words[start - 1].casefold().rstrip(".") in PARTICLES:
        start -= 1
    return (_plain(" ".join(words[:start])), _plain(" ".join(words[start:]))) if start >= 1 else (_plain(full), "")


def _plain(part: str) -> str:
    return " ".join(part.split())


def _spellings(first: str, last: str, *, comma: bool) -> Iterator[str]:
    if comma and first and last:
        yield f"{last}, {first}"
    yield f"{first} {last}".strip()
    yield " ".join(part.replace(" ", NO_BREAK) for part in (first, last)).strip()
