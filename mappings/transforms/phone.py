"""Phone numbers: canonical is E.164, with ` ext. 9` after it where there is an extension.

A number only has to be *possible* for its country (right length), not known to be in use: numbering plans change faster than libraries.
Text that is no number is refused, so that nobody's note ("ask for Mary") is overwritten or sent on.
"""

from __future__ import annotations

import re
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


INTERNATIONAL = re.compile(r"\+[1-9][0-9 ()-]{6,24}", re.ASCII)
PUNCTUATION = str.maketrans("", "", " ()-")


@lru_cache(maxsize=4096)
def _parse(written: str, region: str | None) -> str | None:
    return _plainly(written) or _asked(written, region)


def _plainly(written: str) -> str | None:
    """A number in full international form, judged by the library's own tables at a tenth of its cost; None: the library must say."""
    if not INTERNATIONAL.fullmatch(written):
        return None
    digits = written[1:].translate(PUNCTUATION)
    for length in (1, 2, 3):
        plan = _plan(digits[:length])
        if plan is not None:
            lengths, trunk = plan
            national = digits[length:]
            return f"+{digits}" if len(national) in lengths and national[0] != "0" and not (trunk and trunk.match(national)) else None
    return None


@lru_cache(maxsize=512)
def _plan(code: str) -> tuple[frozenset[int], re.Pattern[str] | None] | None:
    """(lengths a number may have, what a trunk prefix looks like) of a country code; None if it is none."""
    region = phonenumbers.region_code_for_country_code(int(code))
    if region in ("ZZ", "001"):
        return None
    plan = phonenumbers.PhoneMetadata.metadata_for_region(region)
    trunk = plan.national_prefix_for_parsing
    return frozenset(plan.general_desc.possible_length), re.compile(trunk) if trunk else None


def _asked(written: str, region: str | None) -> str | None:
    try:
        number = phonenumbers.parse(written, region)
    except phonenumbers.NumberParseException:
        return None
    # Without its area code a number is possible too, but only to people who live there.
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    extension = f" ext. {number.extension}" if number.extension else ""
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) + extension
