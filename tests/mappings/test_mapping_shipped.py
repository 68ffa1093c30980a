"""The mappings we ship are right in themselves and at the vendors they name; the checked-in JSON Schema is the one of the models."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from mapping_samples import BOTH, HUBSPOT, MAILCHIMP, TRYTON
from ruamel.yaml import YAML

import mappings
from mappings.check import lint
from mappings.compile import compile_mapping
from mappings.load import load
from mappings.schema import SCHEMA_FILE, json_schema
from syncline.errors import UnknownChoice

ROOM = Path(str(mappings.__file__)).parent
FILES = sorted(ROOM.glob("*.yaml"))
CONTACTS = ROOM / "contacts.yaml"
PARTIES = ROOM / "tryton-mailchimp.yaml"


def test_the_schema_on_disk_is_the_one_of_the_models() -> None:
    assert SCHEMA_FILE.read_text(encoding="utf-8") == json_schema(), "run: python -m mappings.schema"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_editors_accept_what_we_ship(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=./schema.json\n")
    # An editor sees YAML keys as text.
    written = json.loads(json.dumps(YAML(typ="safe").load(text)))
    jsonschema.validate(written, json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))


def test_contacts_fit_hubspot_and_mailchimp() -> None:
    found = lint(load(CONTACTS), {"crm": HUBSPOT, "marketing": MAILCHIMP}, BOTH)
    assert [(p.severity, p.text) for p in found] == [
        ("warning", "stage: crm lifecyclestage can be other, which the table does not know: such a value is held"),
    ]


def test_parties_fit_tryton_and_mailchimp() -> None:
    assert lint(load(PARTIES), {"crm": TRYTON, "marketing": MAILCHIMP}, BOTH) == []


def test_a_contact_travels_from_hubspot_to_mailchimp() -> None:
    mapping = compile_mapping(load(CONTACTS), schemas={"crm": HUBSPOT, "marketing": MAILCHIMP})
    native = {"email": "Ann@people.example", "firstname": "A" * 60, "lastname": "", "phone": "087 123 4567", "company": None,
              "country": "UK",
              "marketing_score": "80", "date_of_birth": "1990-05-01", "lifecyclestage": "opportunity", "hs_email_optout": "true",
              "marketing_tags": "vip;event", "is_test": None}  # fmt: skip
    out: dict[str, object] = {}
    for field in mapping.fields:
        if field.may_write("marketing"):
            out |= field.lenses["marketing"].put(field.lenses["crm"].get(native), out)
    assert out == {
        "email_address": "Ann@people.example", "merge_fields.FNAME": "A" * 50, "merge_fields.LNAME": None,
        "merge_fields.PHONE": "+353871234567",
        "merge_fields.COMPANY": None, "merge_fields.COUNTRY": "GB", "merge_fields.BDAY": "1990-05-01", "merge_fields.STAGE": "SQL",
        "status": "unsubscribed", "tags": ["event", "vip"],
    }  # fmt: skip
    assert mapping.policy.scope["crm"]({"email": "x"}, native)
    assert mapping.sides["crm"].native[-1] == "is_test"


def test_a_bounce_is_told_to_the_crm_as_a_bounce_and_not_as_an_opt_out() -> None:
    mapping = compile_mapping(load(CONTACTS))
    member = {"status": "cleaned"}
    consent, deliverability = mapping.field("consent"), mapping.field("deliverability")
    assert consent.lenses["crm"].put(consent.lenses["marketing"].get(member), {"hs_email_optout": "false"}) == {}
    assert deliverability.lenses["crm"].put(deliverability.lenses["marketing"].get(member), {}) == {"email_status": "bounced"}


def test_a_stage_nobody_mapped_is_held() -> None:
    stage = compile_mapping(load(CONTACTS)).field("stage")
    with pytest.raises(UnknownChoice):
        stage.lenses["crm"].get({"lifecyclestage": "other"})


def test_a_members_two_names_make_one_full_name() -> None:
    mapping = compile_mapping(load(PARTIES))
    party: dict[str, object] = {}
    for name, value in (("first_name", "Ann Lee"), ("last_name", "van der Berg")):
        party |= mapping.field(name).lenses["crm"].put(value, party)
    assert party == {"name": "Ann Lee van der Berg"}
