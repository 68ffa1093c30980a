"""E-mail addresses. The spelling shown is kept; two addresses are one when they agree after NFC, trimming, lower case and IDNA.

Look-alike letters of other alphabets stay different. Anything is read; only a well-formed address is written.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Any

import idna
from email_validator import EmailNotValidError, validate_email

from mappings.transforms.text import text
from syncline.errors import Rejected
from syncline.lens import Step

READ = text().get


def email() -> Step:
    """Raises Rejected from `put` for what is no address."""
    return Step(get=_read, put=_write)


@lru_cache(maxsize=65_536)
def folded(address: str) -> str:
    """The form addresses are compared in."""
    local, at, domain = unicodedata.normalize("NFC", address).strip().rpartition("@")
    return local.lower() + at + _ascii(domain.lower())


def _ascii(domain: str) -> str:
    if domain.isascii():
        return domain
    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError:
        return domain


def _read(shown: Any) -> str | None:
    value = READ(shown)
    return value.strip() if value else None


def _write(value: str | None) -> str | None:
    if value is None:
        return None
    try:
        # Deliverability asks DNS; whether an address works is for the vendor to find out.
        validate_email(value, check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError as error:
        raise Rejected("not a well-formed e-mail address", detail=value) from error
    return value
