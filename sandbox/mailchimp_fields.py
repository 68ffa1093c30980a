"""The marketing twin's merge fields and how the vendor cleans or refuses a value, an address or a date."""

import hashlib
import re
from collections.abc import Callable
from datetime import date

import msgspec

EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}")
FAKE = re.compile(r"@(.*\.)?(example\.(com|org|net)|[^@]*\.(test|invalid|localhost))$", re.I)


class BadField(Exception):
    """One merge field's value is refused."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field, self.message = field, message


class MergeField(msgspec.Struct):
    merge_id: int
    tag: str
    name: str
    type: str = "text"
    size: int | None = None
    choices: list[str] | None = None
    required: bool = False

    def describe(self, list_id: str) -> dict:
        options: dict = {"size": self.size} if self.size else {}
        options |= {"choices": self.choices} if self.choices is not None else {}
        options |= {"date_format": "YYYY-MM-DD"} if self.type == "date" else {"phone_format": "none"} if self.type == "phone" else {}
        return {
            "merge_id": self.merge_id, "tag": self.tag, "name": self.name, "type": self.type, "required": self.required,
            "default_value": "", "public": True, "display_order": self.merge_id + 1, "options": options, "help_text": "",
            "list_id": list_id,
        }  # fmt: skip


def audience_fields() -> dict[str, MergeField]:
    """A fresh table: choices may be changed by a person while the twin runs."""
    table = [
        MergeField(1, "FNAME", "First Name", size=50),
        MergeField(2, "LNAME", "Last Name", size=50),
        MergeField(3, "PHONE", "Phone Number", "phone"),
        MergeField(4, "COMPANY", "Company", size=80),
        MergeField(5, "COUNTRY", "Country", size=60),
        MergeField(6, "BDAY", "Date of Birth", "date"),
        MergeField(7, "STAGE", "Stage", "dropdown", choices=["LEAD", "MQL", "SQL", "CUST"]),
    ]
    return {f.tag: f for f in table}


def hash_of(email: str) -> str:
    return hashlib.md5(email.strip().lower().encode(), usedforsecurity=False).hexdigest()


def genuine(email: str) -> bool:
    """Whether the vendor takes the address for a real one."""
    return bool(EMAIL.fullmatch(email)) and not FAKE.search(email)


def _text(field: MergeField, value: str) -> str:
    return value[: field.size].strip() if field.size else value


def _date(field: MergeField, value: str) -> str:
    try:
        return date.fromisoformat(value).isoformat() if len(value) == 10 else _refuse(field, "Please enter a valid date")
    except ValueError:
        return _refuse(field, "Please enter a valid date")


def _choice(field: MergeField, value: str) -> str:
    return value if value in (field.choices or []) else _refuse(field, f"Value must be one of: {', '.join(field.choices or [])}")


def _number(field: MergeField, value: str) -> int | float:
    try:
        number = float(value)
    except ValueError:
        return _refuse(field, "Please enter a number")
    return int(number) if number.is_integer() else number


def _refuse(field: MergeField, message: str):
    raise BadField(field.tag, message)


CLEANERS: dict[str, Callable] = {"text": _text, "phone": _text, "date": _date, "dropdown": _choice, "number": _number}


def clean(table: dict[str, MergeField], values: dict) -> dict[str, str | int | float]:
    """Values as stored: trimmed, cut to size, "" for blank; unknown tags are dropped in silence. Raises BadField."""
    out: dict[str, str | int | float] = {}
    for tag, raw in values.items():
        if (field := table.get(tag)) is not None:
            text = "" if raw is None else str(raw).strip()
            out[tag] = CLEANERS[field.type](field, text) if text else ""
    return out
