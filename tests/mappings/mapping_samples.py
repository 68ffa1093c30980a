"""Small mappings, and the three vendors as they describe themselves: literal, so that a test fails when our reading of them changes."""

from __future__ import annotations

from mappings.compile import compile_mapping
from mappings.load import LoadedMapping, load_text
from syncline.mapping import Field
from syncline.ports import Capabilities, FieldInfo, Schema

SMALL = """\
version: 1
name: small
sides:
  crm: {connector: a, object: people}
  marketing: {connector: b, object: members}
identity: {match: [email]}
fields:
  email: {crm: mail, marketing: address, type: email}
"""


def small(*fields: str) -> LoadedMapping:
    """The small mapping with more fields, each a line such as `note: {crm: n, marketing: m}`."""
    return load_text(SMALL + "".join(f"  {line}\n" for line in fields), "small.yaml")


def field(declaration: str, **more: object) -> Field:
    """One compiled field `f` with the natives `c` and `m`; `declaration` is the rest of it."""
    rest = f", {declaration}" if declaration else ""
    return compile_mapping(small(f"f: {{crm: c, marketing: m{rest}}}"), **more).field("f")  # type: ignore[arg-type]


def schema(object: str, *fields: FieldInfo) -> Schema:
    return Schema(object, {info.name: info for info in fields})


STAGES = ("subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer", "evangelist", "other")
TAGS = ("newsletter", "webinar", "vip", "trial", "partner", "event")
HUBSPOT = schema(
    "contacts",
    FieldInfo("email", "email", unique=True),
    FieldInfo("firstname", "text"),
    FieldInfo("lastname", "text"),
    FieldInfo("phone", "phone"),
    FieldInfo("company", "text"),
    FieldInfo("country", "text"),
    FieldInfo("lead_source", "text"),
    FieldInfo("marketing_score", "number"),
    FieldInfo("date_of_birth", "date"),
    FieldInfo("lifecyclestage", "choice", options=STAGES),
    FieldInfo("email_status", "choice", options=("ok", "bounced")),
    FieldInfo("marketing_tags", "set", options=TAGS),
    FieldInfo("hs_email_optout", "boolean", consent=True),
    FieldInfo("is_test", "boolean"),
    FieldInfo("hubspot_owner_id", "owner"),
    FieldInfo("last_contacted_at", "instant"),
)
STATUSES = ("subscribed", "unsubscribed", "cleaned", "pending", "transactional")
MAILCHIMP = schema(
    "members",
    FieldInfo("email_address", "email", required=True, unique=True),
    FieldInfo("status", "choice", consent=True, options=STATUSES),
    FieldInfo("tags", "set"),
    FieldInfo("source", "text", writable=False),
    FieldInfo("member_rating", "number", writable=False),
    FieldInfo("merge_fields.FNAME", "text", max_length=50),
    FieldInfo("merge_fields.LNAME", "text", max_length=50),
    FieldInfo("merge_fields.PHONE", "phone"),
    FieldInfo("merge_fields.COMPANY", "text", max_length=80),
    FieldInfo("merge_fields.COUNTRY", "text", max_length=60),
    FieldInfo("merge_fields.BDAY", "date"),
    FieldInfo("merge_fields.STAGE", "choice", options=("LEAD", "MQL", "SQL", "CUST")),
)
TRYTON = schema(
    "parties",
    FieldInfo("name", "text"),
    FieldInfo("code", "text", writable=False, unique=True),
    FieldInfo("active", "boolean"),
    FieldInfo("email", "email"),
    FieldInfo("phone", "phone"),
    FieldInfo("website", "text"),
    FieldInfo("email_opt_out", "boolean", consent=True),
    FieldInfo("categories", "set"),
)


def capabilities(evidence: str = "record") -> Capabilities:
    return Capabilities(
        incremental="modified_since",
        overlap_s=300,
        evidence=evidence,  # type: ignore[arg-type]
        versions=False,
        deletes="by_absence",
        merges="none",
        create_key=None,
        batch_read=100,
        batch_write=100,
        recheck="batch_read",
    )


BOTH = {"crm": capabilities(), "marketing": capabilities()}
