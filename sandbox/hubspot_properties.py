"""The CRM twin's contact properties and how the vendor cleans or refuses a value. Every stored value is a string."""

import re
from collections.abc import Callable

import msgspec

from .clock import to_ms, to_utc

EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
STAGES = ["subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer", "evangelist", "other"]
DAY_MS = 86_400_000


class Invalid(Exception):
    """A property value the vendor refuses; `code` is the vendor's word for why."""

    def __init__(self, name: str, message: str, code: str) -> None:
        super().__init__(message)
        self.name, self.message, self.code = name, message, code


class Refusals(Exception):
    """All the values of one record that the vendor refuses."""

    def __init__(self, problems: list[Invalid]) -> None:
        super().__init__("; ".join(p.message for p in problems))
        self.problems = problems


class Property(msgspec.Struct):
    name: str
    label: str
    type: str = "string"
    field_type: str = "text"
    options: list[str] = []
    unique: bool = False
    read_only: bool = False
    calculated: bool = False

    def describe(self) -> dict:
        return {
            "name": self.name, "label": self.label, "type": self.type, "fieldType": self.field_type,
            "description": "", "groupName": "contactinformation", "displayOrder": -1, "hidden": False, "formField": True,
            "options": [
                {"label": o.replace("_", " ").capitalize(), "value": o, "hidden": False, "displayOrder": i}
                for i, o in enumerate(self.options)
            ],
            "hasUniqueValue": self.unique, "calculated": self.calculated, "externalOptions": self.name == "hubspot_owner_id",
            "modificationMetadata": {"readOnlyValue": self.read_only, "readOnlyDefinition": True, "archivable": False},
        }  # fmt: skip


def contact_properties() -> dict[str, Property]:
    """A fresh property table: options may be changed by a person while the twin runs."""
    table = [
        Property("email", "Email"),
        Property("firstname", "First Name"),
        Property("lastname", "Last Name"),
        Property("phone", "Phone Number", field_type="phonenumber"),
        Property("company", "Company Name"),
        Property("country", "Country/Region"),
        Property("jobtitle", "Job Title"),
        Property("lead_source", "Lead Source"),
        Property("marketing_score", "Marketing Score", "number", "number"),
        Property("date_of_birth", "Date of Birth", "date", "date"),
        Property("lifecyclestage", "Lifecycle Stage", "enumeration", "radio", list(STAGES)),
        Property("email_status", "Email Status", "enumeration", "select", ["ok", "bounced"]),
        Property(
            "marketing_tags", "Marketing Tags", "enumeration", "checkbox", ["newsletter", "webinar", "vip", "trial", "partner", "event"]
        ),
        Property("hubspot_owner_id", "Contact Owner", "enumeration", "select"),
        Property("is_test", "Is Test", "bool", "booleancheckbox", ["true", "false"]),
        Property("syncline_key", "Syncline Key", unique=True),
        Property("last_contacted_at", "Last Contacted", "datetime", "date"),
        Property("hs_email_optout", "Unsubscribed from all email", "bool", "booleancheckbox", ["true", "false"], read_only=True),
        Property("createdate", "Create Date", "datetime", "date", read_only=True),
        Property("lastmodifieddate", "Last Modified Date", "datetime", "date", read_only=True),
        Property("hs_object_id", "Record ID", "number", "number", read_only=True),
        Property("hs_merged_object_ids", "Merged record IDs", read_only=True, calculated=True),
        Property("hs_additional_emails", "Additional emails", field_type="textarea", read_only=True, calculated=True),
    ]
    return {p.name: p for p in table}


def iso(ms: int) -> str:
    """The vendor's stamp: milliseconds, but no fraction on a whole second."""
    return to_utc(ms).strftime("%Y-%m-%dT%H:%M:%S") + (f".{ms % 1000:03d}Z" if ms % 1000 else "Z")


def instant_ms(text: str) -> int:
    """Epoch milliseconds given as digits or as ISO text. Raises ValueError."""
    return int(text) if text.lstrip("-").isdigit() else to_ms(text)


def _email(prop: Property, value: str) -> str:
    value = value.strip().lower()
    if not EMAIL.fullmatch(value):
        raise Invalid(prop.name, f"Email address {value} is invalid", "INVALID_EMAIL")
    return value


def _number(prop: Property, value: str) -> str:
    try:
        number = float(value)
    except ValueError:
        raise Invalid(prop.name, f"{value} was not a valid number.", "INVALID_INTEGER") from None
    return str(int(number)) if number.is_integer() else str(number)


def _date(prop: Property, value: str) -> str:
    try:
        ms = instant_ms(value)
    except ValueError:
        raise Invalid(prop.name, f"{value} was not a valid date.", "INVALID_DATE") from None
    if ms % DAY_MS:
        raise Invalid(prop.name, f"{value} is at the wrong time of day: a date must be midnight UTC.", "INVALID_DATE")
    return to_utc(ms).strftime("%Y-%m-%d")


def _datetime(prop: Property, value: str) -> str:
    try:
        return iso(instant_ms(value))
    except ValueError:
        raise Invalid(prop.name, f"{value} was not a valid long.", "INVALID_LONG") from None


def _option(prop: Property, value: str) -> str:
    values = value.split(";") if prop.field_type == "checkbox" else [value]
    if bad := [v for v in values if v not in prop.options]:
        raise Invalid(prop.name, f"{bad[0]} was not one of the allowed options: [{', '.join(prop.options)}]", "INVALID_OPTION")
    return ";".join(dict.fromkeys(values))


CLEANERS: dict[str, Callable[[Property, str], str]] = {
    "email": _email, "number": _number, "date": _date, "datetime": _datetime, "enumeration": _option, "bool": _option,
}  # fmt: skip


def clean(prop: Property, raw: object) -> str:
    """The value as the vendor stores it; None and "" clear. Raises Invalid."""
    if prop.read_only:
        raise Invalid(prop.name, f"{prop.name} is a read only property; its value cannot be set.", "READ_ONLY_VALUE")
    text = "" if raw is None else str(raw).lower() if isinstance(raw, bool) else str(raw)
    if not text.strip():
        return ""
    cleaner = CLEANERS.get("email" if prop.name == "email" else prop.type)
    return cleaner(prop, text) if cleaner else text
