"""Countries: canonical is the ISO 3166 alpha-2 code. Reads codes, official and common names and the aliases below; never guesses."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import pycountry

from mappings.transforms.text import text
from syncline.errors import UnknownChoice
from syncline.lens import Step

Form = Literal["name", "alpha2", "alpha3"]
READ = text().get

# Names people write that ISO 3166 does not list. Asked first, so an alias always wins.
ALIASES = {
    "uk": "GB", "u.k.": "GB", "great britain": "GB", "britain": "GB", "england": "GB", "scotland": "GB", "wales": "GB",
    "northern ireland": "GB", "usa": "US", "u.s.a.": "US", "u.s.": "US", "america": "US", "united states of america": "US",
    "republic of ireland": "IE", "éire": "IE", "deutschland": "DE", "turkey": "TR", "türkiye": "TR", "holland": "NL",
    "the netherlands": "NL", "españa": "ES", "italia": "IT", "österreich": "AT", "schweiz": "CH", "suisse": "CH", "polska": "PL",
    "brasil": "BR", "méxico": "MX", "czech republic": "CZ", "russia": "RU", "south korea": "KR", "north korea": "KP", "iran": "IR",
    "syria": "SY", "vietnam": "VN", "laos": "LA", "ivory coast": "CI", "cape verde": "CV", "swaziland": "SZ", "macedonia": "MK",
    "burma": "MM", "palestine": "PS", "uae": "AE", "u.a.e.": "AE", "emirates": "AE", "hong kong": "HK", "macau": "MO",
}  # fmt: skip


def country(form: Form = "alpha2") -> Step:
    """`form`: what the side is given. Both ways raise UnknownChoice."""

    def read(shown: Any) -> str | None:
        value = READ(shown)
        return _code(value) if value else None

    return Step(get=read, put=lambda value: None if value is None else spelled(_code(value), form))


@lru_cache(maxsize=1024)
def spelled(code: str, form: Form) -> str:
    """The country of an alpha-2 code, in the form a side takes."""
    found: Any = pycountry.countries.get(alpha_2=code)
    names = {"alpha2": code, "alpha3": found.alpha_3, "name": getattr(found, "common_name", found.name)}
    return str(names[form])


def _code(written: str) -> str:
    code = _known(written.strip().casefold())
    if code is None:
        raise UnknownChoice("a country we do not know", detail=written)
    return code


@lru_cache(maxsize=4096)
def _known(folded: str) -> str | None:
    if folded in ALIASES:
        return ALIASES[folded]
    try:
        return str(pycountry.countries.lookup(folded).alpha_2)
    except LookupError:
        return None
