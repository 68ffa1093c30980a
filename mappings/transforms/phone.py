"""Phone numbers: canonical is E.164, with ` ext. 9` after it where there is an extension.

A number only has to be *possible* for its country (right length), not known to be in use: numbering plans change faster than libraries.
Text that is no number is refused, so that nobody's note ("ask for Mary") is overwritten or sent on.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import phonenumbers

from mappings.transforms.text import text
from syncline.errors import Rejected
from syncline.lens import Step

READ = text().get
REGIONS = frozenset(phonenumbers.SUPPORTED_REGIONS)


def phone(region: str | None = None) -> Step:
    """`region`: the country (alpha-2) in which numbers without `+` are meant; None refuses such numbers. Both ways raise Rejected."""

    def read(shown: Any) -> str | None:
        value = READ(shown)
        return _e164(value.strip(), region) if value else None

    return Step(get=read, put=lambda value: None if value is None else _e164(value, region))


def _e164(written: str, region: str | None) -> str:
    found = _parse(written, region)
    if found is None:
        place = f"in {region}" if region else "without a region for numbers that lack a +"
        raise Rejected(f"not a phone number {place}", detail=written)
    return found


@lru_cache(maxsize=4096)
def _parse(written: str, region: str | None) -> str | None:
    try:
        number = phonenumbers.parse(written, region)
    except phonenumbers.NumberParseException:
        return None
    # Without its area code a number is possible too, but only to people who live there.
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    extension = f" ext. {number.extension}" if number.extension else ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) + extension
