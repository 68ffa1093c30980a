"""Instants: canonical is ISO in UTC, ending in `Z`. And the one honest way between an instant and a date: with a zone named.

A wall time without an offset needs a `zone`, and is refused when that zone's clocks showed it twice or never.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Any
from zoneinfo import ZoneInfo

from mappings.transforms.native import shows_nothing
from syncline.errors import Rejected
from syncline.lens import Step

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def instant(zone: str | None = None) -> Step:
    """`zone`: where wall times without an offset were read off the clock. Writes UTC. Both ways raise Rejected."""
    place = ZoneInfo(zone) if zone else None

    def read(shown: Any) -> str | None:
        return None if shows_nothing(shown) else in_utc(_moment(shown, place))

    return Step(get=read, put=lambda value: None if value is None else in_utc(_moment(value, None)))


def day_in(zone: str) -> Step:
    """An instant at the vendor, a date to us: the day it was in `zone`. Writes that day's first moment there."""
    place = ZoneInfo(zone)

    def read(shown: Any) -> str | None:
        return None if shows_nothing(shown) else _moment(shown, place).astimezone(place).date().isoformat()

    def write(value: str | None) -> str | None:
        if value is None:
            return None
        return in_utc(dt.datetime.combine(_day(value), dt.time(), tzinfo=place).astimezone(dt.UTC))

    return Step(get=read, put=write)


def in_utc(moment: dt.datetime) -> str:
    """`2026-01-02T03:04:05Z`, with a fraction only if there is one."""
    return moment.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def _day(value: str) -> dt.date:
    try:
        return dt.date.fromisoformat(value)
    except ValueError as error:
        raise Rejected("not a date (YYYY-MM-DD)", detail=value) from error


def _moment(shown: Any, place: ZoneInfo | None) -> dt.datetime:
    try:
        if re.fullmatch(r"-?\d+", str(shown).strip()):
            return EPOCH + dt.timedelta(milliseconds=int(shown))
        moment = shown if isinstance(shown, dt.datetime) else dt.datetime.fromisoformat(str(shown).strip())
        moment = moment if moment.tzinfo else _on_the_clock(moment, place)
        return moment.astimezone(dt.UTC)
    except (ValueError, OverflowError) as error:
        raise Rejected("not an instant (ISO time with an offset, or milliseconds)", detail=str(shown)) from error


def _on_the_clock(wall: dt.datetime, place: ZoneInfo | None) -> dt.datetime:
    if place is None:
        raise Rejected("a time without an offset: name its zone with transform: {instant: {zone: …}}", detail=wall.isoformat())
    first, second = wall.replace(tzinfo=place, fold=0), wall.replace(tzinfo=place, fold=1)
    if first.utcoffset() != second.utcoffset():
        raise Rejected(f"a time that clocks in {place.key} showed twice or never", detail=wall.isoformat())
    return first
