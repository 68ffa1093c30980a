"""One helpful half-sentence: the name that was probably meant. Anyone in `mappings` may use it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def meant(name: str, known: Iterable[str]) -> str:
    """`": did you mean direction?"`, or the names to choose from when none is near and they are few, or nothing."""
    names = sorted(set(known))
    folded = {n.casefold(): n for n in names}
    close = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    if close:
        return f": did you mean {folded[close[0]]}?"
    return f": use one of {', '.join(names)}" if 0 < len(names) <= 12 else ""
