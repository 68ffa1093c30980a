"""First and last name inside one full name. A rule of thumb, so it is told apart from fact: what cannot be read back is refused.

The last word is the last name, together with particles before it (`van der Berg`); `Berg, Ann` is read the other way round. `put` replaces
its own part and leaves the rest of the text as it stands. Two fields share one native here: whoever writes both must put the second onto
the result of the first.
"""

from __future__ import annotations

from typing import Any, Literal

from mappings.transforms.focus import Get, PutBeside
from mappings.transforms.text import text
from syncline.errors import Rejected

Part = Literal["first", "last"]
READ = text().get
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
        joined = _join(parts[0], parts[1], comma="," in (full or ""))
        if list(_parts(joined)) != parts:
            raise Rejected(f"a {part} name that could not be told apart again within the full name", detail=value or "")
        return joined or None

    return lambda shown: _parts(READ(shown) or "")[index] or None, write


def _parts(full: str) -> tuple[str, str]:
    if full.count(",") == 1:
        last, first = full.split(",")
        return " ".join(first.split()), " ".join(last.split())
    words = full.split()
    start = len(words) - 1
    while start > 1 and words[start - 1].casefold().rstrip(".") in PARTICLES:
        start -= 1
    return (" ".join(words[:start]), " ".join(words[start:])) if start >= 1 else (" ".join(words), "")


def _join(first: str, last: str, *, comma: bool) -> str:
    return f"{last}, {first}" if comma and first and last else f"{first} {last}".strip()
