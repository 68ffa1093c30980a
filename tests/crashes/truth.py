"""What must be the same however often a run died: both sides as they truly are, what we did to them, and what the log folds to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from syncline.log import Entry, fold

Facts = Mapping[str, Counter[str]]
"""By heading, how often each fact holds; a fact is JSON."""


def facts(items: Iterable[Any]) -> Counter[str]:
    return Counter(json.dumps(item, sort_keys=True, default=list) for item in items)


def folded(entries: Iterable[Entry]) -> Counter[str]:
    """Every contact that the log knows: its state, its view, and the sides it has a record on."""
    return facts([contact.state, contact.view, sorted(contact.refs)] for contact in fold(entries).values())


def differences(expected: Facts, found: Facts) -> list[str]:
    """One line for each fact that holds more often without the crash, or with it."""
    lines = []
    for heading in expected:
        lines += [f"{heading}: only without the crash: {fact}" for fact in (expected[heading] - found[heading]).elements()]
        lines += [f"{heading}: only with the crash: {fact}" for fact in (found[heading] - expected[heading]).elements()]
    return lines
