"""The CRM twin: credentials, discovery, lists and single reads."""

import pytest
import requests

CONTACTS = "/crm/v3/objects/contacts"


def person(n, **more):
    return {"email": f"p{n}@people.example", **more}


def test_a_wrong_token_is_401_in_the_vendors_shape(twins, crm):
    answer = requests.get(twins.hubspot.url + CONTACTS, headers={"Authorization": "Bearer nope"}, timeout=5)
    assert answer.status_code == 401
    assert answer.json().keys() == {"status", "message", "correlationId", "category"}
    assert answer.json()["category"] == "INVALID_AUTHENTICATION"
    assert crm("POST", "/oauth/v2/private-apps/get/access-token-info", json={"tokenKey": "nope"}).status_code == 401


def test_the_token_names_its_hub_and_scopes(twins, crm):
    told = crm.ok("POST", "/oauth/v2/private-apps/get/access-token-info", json={"tokenKey": twins.hubspot.token})
    assert told.keys() == {"userId", "hubId", "appId", "scopes"}
    details = crm.ok("GET", "/account-info/v3/details")
    assert (details["portalId"], details["timeZone"]) == (told["hubId"], "Europe/Dublin")


def test_a_lacking_scope_is_403_and_names_it(twins, crm):
    twins.hubspot.faults(scopes=["crm.objects.contacts.read"])
    assert crm("GET", CONTACTS).status_code == 200
    answer = crm("POST", CONTACTS, json={"properties": person(1)})
    assert (answer.status_code, answer.json()["category"]) == (403, "MISSING_SCOPES")
    assert answer.json()["errors"][0]["context"] == {"requiredGranularScopes": ["crm.objects.contacts.write"]}


def test_properties_tell_types_options_and_what_is_read_only(twins, crm):
    table = {p["name"]: p for p in crm.ok("GET", "/crm/v3/properties/contacts")["results"]}
    assert [o["value"] for o in table["marketing_tags"]["options"]] == ["newsletter", "webinar", "vip", "trial", "partner", "event"]
    assert (table["date_of_birth"]["type"], table["last_contacted_at"]["type"], table["marketing_score"]["type"]) == (
        "date",
        "datetime",
        "number",
    )
    assert [n for n, p in table.items() if p["hasUniqueValue"]] == ["syncline_key"]
    assert table["hs_email_optout"]["modificationMetadata"]["readOnlyValue"] is True
    twins.hubspot.edit("add_option", field="email_status", value="blocked")
    table = {p["name"]: p for p in crm.ok("GET", "/crm/v3/properties/contacts")["results"]}
    assert [o["value"] for o in table["email_status"]["options"]] == ["ok", "bounced", "blocked"]


def test_a_property_that_a_person_adds_is_plain_text(twins, crm):
    assert twins.hubspot.edit("add_field", name="shoe_size") is None
    (added,) = [p for p in crm.ok("GET", "/crm/v3/properties/contacts")["results"] if p["name"] == "shoe_size"]
    assert (added["label"], added["type"], added["fieldType"]) == ("Shoe Size", "string", "text")
    made = crm.ok("POST", CONTACTS, json={"properties": person(1, shoe_size=" 42 ")})
    shown = crm.ok("GET", f"{CONTACTS}/{made['id']}", params={"properties": "shoe_size"})
    assert shown["properties"]["shoe_size"] == " 42 "
    with pytest.raises(ValueError, match="there is a property shoe_size"):
        twins.hubspot.edit("add_field", name="shoe_size")


def test_owners_are_paged(twins, crm):
    twins.hubspot.edit("owner_add", id="71004", fields={"email": "new@people.example"})
    first = crm.ok("GET", "/crm/v3/owners", params={"limit": 3})
    rest = crm.ok("GET", "/crm/v3/owners", params={"limit": 3, "after": first["paging"]["next"]["after"]})
    assert [o["id"] for o in first["results"] + rest["results"]] == ["71001", "71002", "71003", "71004"]
    assert "paging" not in rest


def test_the_list_gives_each_contact_once_and_archived_ones_apart(twins, crm):
    ids = [twins.hubspot.edit("create", fields=person(n)) for n in range(60)]  # ids go from four digits to five
    twins.hubspot.edit("delete", id=ids[7])
    seen, after = [], None
    while True:
        page = crm.ok("GET", CONTACTS, params={"limit": 25, "after": after})
        seen += [c["id"] for c in page["results"]]
        if "paging" not in page:
            break
        after = page["paging"]["next"]["after"]
    assert seen == [i for i in ids if i != ids[7]]
    archived = crm.ok("GET", CONTACTS, params={"archived": "true"})["results"]
    assert [(c["id"], c["archived"]) for c in archived] == [(ids[7], True)] and archived[0]["archivedAt"]


def test_a_page_holds_at_most_a_hundred(crm):
    assert crm("GET", CONTACTS, params={"limit": 101}).status_code == 400


def test_only_wanted_properties_are_shown_unset_ones_null_and_cleared_ones_empty(twins, crm):
    id = twins.hubspot.edit("create", fields=person(1, firstname="Ada", company="x"))
    twins.hubspot.edit("update", id=id, fields={"company": ""})
    shown = crm.ok("GET", f"{CONTACTS}/{id}", params={"properties": "company,phone,no_such"})["properties"]
    assert shown.pop("createdate") and shown.pop("lastmodifieddate")
    assert shown == {"company": "", "phone": None, "hs_object_id": id}
    assert crm.ok("GET", f"{CONTACTS}/{id}")["properties"].keys() >= {"email", "firstname", "lastname"}


@pytest.mark.parametrize("act", ["delete", "purge"])
def test_a_contact_that_is_gone_is_404(twins, crm, act):
    id = twins.hubspot.edit("create", fields=person(1))
    twins.hubspot.edit(act, id=id)
    assert crm("GET", f"{CONTACTS}/{id}").status_code == 404
    assert crm("GET", f"{CONTACTS}/{id}", params={"archived": "true"}).status_code == (200 if act == "delete" else 404)


def test_whole_second_stamps_come_without_a_fraction(twins, crm):
    twins.hubspot.clock(now="2026-05-01T10:00:00Z", frozen=True, tick_ms=0)
    id = twins.hubspot.edit("create", fields=person(1))
    assert crm.ok("GET", f"{CONTACTS}/{id}")["updatedAt"] == "2026-05-01T10:00:00Z"
    twins.hubspot.clock(advance_s=0.25)
    twins.hubspot.edit("update", id=id, fields={"firstname": "Ada"})
    assert crm.ok("GET", f"{CONTACTS}/{id}")["updatedAt"] == "2026-05-01T10:00:00.250Z"
