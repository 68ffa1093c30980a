"""The CRM twin's writes: cleaning and refusing values, batches and their partial failures, uniqueness, merges, consent."""

import pytest

CONTACTS = "/crm/v3/objects/contacts"
STATUSES = "/communication-preferences/v4/statuses/batch"
ALL = "email,firstname,phone,marketing_score,date_of_birth,last_contacted_at,lifecyclestage,marketing_tags,is_test,hs_email_optout"


def make(crm, **fields):
    return crm.ok("POST", CONTACTS, json={"properties": fields})["id"]


def props(crm, id, names=ALL):
    return crm.ok("GET", f"{CONTACTS}/{id}", params={"properties": names})["properties"]


def batch(crm, act, *inputs, **query):
    return crm("POST", f"{CONTACTS}/batch/{act}", json={"inputs": list(inputs)}, params=query)


@pytest.mark.parametrize(
    ("name", "sent", "stored"),
    [
        ("email", "  Ann@People.Example ", "ann@people.example"),
        ("marketing_score", 80, "80"),
        ("marketing_score", "80.50", "80.5"),
        ("date_of_birth", "1990-05-01", "1990-05-01"),
        ("date_of_birth", "641520000000", "1990-05-01"),
        ("last_contacted_at", "2026-05-01T12:00:00+02:00", "2026-05-01T10:00:00Z"),
        ("last_contacted_at", "1777629600123", "2026-05-01T10:00:00.123Z"),
        ("marketing_tags", "vip;event", "vip;event"),
        ("is_test", True, "true"),
        ("phone", " 01 555 1234 ", " 01 555 1234 "),
    ],
)
def test_values_are_strings_as_the_vendor_keeps_them(crm, name, sent, stored):
    assert props(crm, make(crm, **{name: sent}))[name] == stored


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("email", "not an address", "INVALID_EMAIL"),
        ("marketing_score", "lots", "INVALID_INTEGER"),
        ("date_of_birth", "1990-05-01T10:00:00Z", "INVALID_DATE"),
        ("date_of_birth", "641523600000", "INVALID_DATE"),
        ("last_contacted_at", "yesterday", "INVALID_LONG"),
        ("lifecyclestage", "Customer", "INVALID_OPTION"),
        ("marketing_tags", "vip;nope", "INVALID_OPTION"),
        ("hubspot_owner_id", "1", "INVALID_OPTION"),
        ("is_test", "yes", "INVALID_OPTION"),
        ("hs_email_optout", "true", "READ_ONLY_VALUE"),
        ("hs_additional_emails", "x@people.example", "READ_ONLY_VALUE"),
        ("no_such", "x", "PROPERTY_DOESNT_EXIST"),
    ],
)
def test_a_refused_value_fails_the_whole_call_and_names_the_property(twins, crm, name, value, code):
    id = make(crm, firstname="Ann")
    single = crm("PATCH", f"{CONTACTS}/{id}", json={"properties": {name: value, "firstname": "Eve"}})
    whole = batch(crm, "update", {"id": id, "properties": {"firstname": "Eve"}}, {"id": make(crm), "properties": {name: value}})
    for answer in (single, whole):
        assert (answer.status_code, answer.json()["category"]) == (400, "VALIDATION_ERROR")
        assert [(e["code"], e["context"]["propertyName"]) for e in answer.json()["errors"]] == [(code, [name])]
    assert props(crm, id)["firstname"] == "Ann"


def test_every_bad_value_of_a_record_is_named(crm):
    answer = crm("POST", CONTACTS, json={"properties": {"marketing_score": "x", "no_such": "y", "firstname": "Ann"}})
    assert [e["context"]["propertyName"][0] for e in answer.json()["errors"]] == ["marketing_score", "no_such"]


def test_item_errors_spoil_only_their_items(twins, crm):
    twins.hubspot.faults(item_errors=True)
    good, bad = make(crm), make(crm)
    inputs = [{"id": i, "properties": {"marketing_score": v}, "objectWriteTraceId": f"t-{v}"} for i, v in ((good, "1"), (bad, "x"))]
    answer = batch(crm, "update", *inputs)
    assert (answer.status_code, answer.json()["numErrors"]) == (207, 1)
    assert [(r["id"], r["objectWriteTraceId"]) for r in answer.json()["results"]] == [(good, "t-1")]
    assert answer.json()["errors"][0]["context"] == {"objectWriteTraceId": ["t-x"], "propertyName": ["marketing_score"]}


def test_a_no_op_update_leaves_the_stamp_and_a_clear_of_a_blank_is_one(twins, crm):
    id = make(crm, firstname="Ann", email="ann@people.example")
    before = props(crm, id)
    batch(crm, "update", {"id": id, "properties": {"firstname": "Ann", "email": "ANN@people.example", "phone": ""}})
    assert props(crm, id) == before
    batch(crm, "update", {"id": id, "properties": {"firstname": "Anna"}})
    assert props(crm, id)["lastmodifieddate"] > before["lastmodifieddate"]


def test_a_new_contacts_stamp_may_move_again_on_its_own(twins, crm):
    twins.hubspot.clock(now="2026-05-01T10:00:00Z", frozen=True)
    twins.hubspot.faults(recalc_s=5)
    id = make(crm, firstname="Ann")
    before, effects = props(crm, id), len(twins.hubspot.effects())
    twins.hubspot.clock(advance_s=60)
    after = props(crm, id)
    assert (before.pop("lastmodifieddate"), after.pop("lastmodifieddate")) == ("2026-05-01T10:00:00.001Z", "2026-05-01T10:00:05.001Z")
    assert before == after and twins.hubspot.effects(effects) == []


def test_a_stage_only_moves_forward_unless_cleared_first(twins, crm):
    id = make(crm, lifecyclestage="customer")
    for value, reads in (("lead", "customer"), ("evangelist", "evangelist"), ("", ""), ("lead", "lead")):
        crm.ok("PATCH", f"{CONTACTS}/{id}", json={"properties": {"lifecyclestage": value}})
        assert props(crm, id)["lifecyclestage"] == reads
    twins.hubspot.edit("update", id=id, fields={"lifecyclestage": "subscriber"})  # a person may
    assert props(crm, id)["lifecyclestage"] == "subscriber"


def test_batch_create_with_a_known_address_fails_whole_and_names_one_id(crm):
    id = make(crm, email="ann@people.example")
    inputs = [{"properties": {"email": e}} for e in ("new@people.example", "Ann@people.example")]
    answer = batch(crm, "create", *inputs)
    assert (answer.status_code, answer.json()["category"]) == (409, "CONFLICT")
    assert answer.json()["message"] == f"Contact already exists. Existing ID: {id}"
    assert len(crm.ok("GET", CONTACTS)["results"]) == 1
    assert batch(crm, "create", inputs[0], inputs[0]).status_code == 400


def test_batch_create_echoes_trace_ids(crm):
    answer = batch(crm, "create", *[{"properties": {"firstname": n}, "objectWriteTraceId": n} for n in "ab"])
    assert answer.status_code == 201
    assert [(r["objectWriteTraceId"], r["properties"]["firstname"]) for r in answer.json()["results"]] == [("a", "a"), ("b", "b")]


@pytest.mark.parametrize("act", ["update", "read"])
def test_unknown_ids_cost_only_themselves(crm, act):
    id = make(crm)
    answer = batch(crm, act, {"id": id, "properties": {}}, {"id": "1", "properties": {}})
    assert answer.status_code == 207
    assert [r["id"] for r in answer.json()["results"]] == [id]
    assert answer.json()["errors"][0]["category"] == "OBJECT_NOT_FOUND" and answer.json()["errors"][0]["context"]["ids"] == ["1"]


@pytest.mark.parametrize("act", ["read", "create", "update", "upsert", "archive"])
def test_a_batch_holds_one_to_a_hundred_inputs(crm, act):
    assert batch(crm, act, *[{"id": "1"}] * 101).status_code == batch(crm, act).status_code == 400


def test_batch_results_may_come_in_another_order(twins, crm):
    ids = [make(crm) for _ in range(8)]
    twins.hubspot.faults(shuffle=True)
    got = [r["id"] for r in batch(crm, "read", *[{"id": i} for i in ids]).json()["results"]]
    assert got != ids and sorted(got) == sorted(ids)


def test_batch_read_by_address(crm):
    id = make(crm, email="ann@people.example")
    body = {"idProperty": "email", "inputs": [{"id": "ANN@people.example"}], "properties": ["firstname"]}
    assert [r["id"] for r in crm.ok("POST", f"{CONTACTS}/batch/read", json=body)["results"]] == [id]
    body["idProperty"] = "firstname"
    assert crm("POST", f"{CONTACTS}/batch/read", json=body).status_code == 400


def test_upsert_by_a_unique_property_is_sparse_and_safe_to_repeat(crm):
    order = {"id": "k1", "idProperty": "syncline_key", "properties": {"email": "ann@people.example"}}
    first, second = (batch(crm, "upsert", order).json()["results"][0] for _ in range(2))
    assert (first["new"], second["new"], first["id"]) == (True, False, second["id"])
    batch(crm, "upsert", {**order, "properties": {"firstname": "Ann"}})
    assert props(crm, first["id"])["email"] == "ann@people.example"
    taken = batch(crm, "upsert", {"id": "k2", "idProperty": "syncline_key", "properties": {"email": "ann@people.example"}})
    assert taken.status_code == 409
    assert crm("POST", CONTACTS, json={"properties": {"syncline_key": "k1"}}).json()["errors"][0]["code"] == "CONFLICTING_UNIQUE_VALUE"


def test_upsert_by_address_takes_no_partial_record(twins, crm):
    id = make(crm, email="ann@people.example")
    order = {"id": "ann@people.example", "idProperty": "email", "properties": {"firstname": "Ann"}}
    assert batch(crm, "upsert", order).status_code == 400
    order["properties"]["email"] = "ann@people.example"
    assert batch(crm, "upsert", order).json()["results"][0]["id"] == id
    twins.hubspot.faults(item_errors=True)
    assert batch(crm, "upsert", {**order, "properties": {**order["properties"], "is_test": "?"}}).status_code == 400
    assert batch(crm, "upsert", {"id": "x", "idProperty": "firstname"}).status_code == 400


def test_archiving_frees_the_address_and_a_restore_needs_it_free(twins, crm):
    one, two = make(crm, email="ann@people.example"), make(crm)
    assert crm("DELETE", f"{CONTACTS}/{one}").status_code == 204
    assert batch(crm, "archive", {"id": two}, {"id": "1"}).status_code == 204
    again = make(crm, email="ann@people.example")
    with pytest.raises(ValueError, match="refuses"):
        twins.hubspot.edit("restore", id=one)
    twins.hubspot.edit("purge", id=again)
    assert twins.hubspot.edit("restore", id=one) == one
    states = {r["id"]: r["state"] for r in twins.hubspot.records()}
    assert states == {one: "live", two: "archived", again: "deleted"}


def test_a_merge_makes_a_new_id_and_both_old_ones_vanish(twins, crm):
    one, two, three = (make(crm, email=f"{n}@people.example", **({} if n == "a" else {"phone": n})) for n in "abc")
    first = crm.ok("POST", f"{CONTACTS}/merge", json={"primaryObjectId": one, "objectIdToMerge": two})["id"]
    last = crm.ok("POST", f"{CONTACTS}/merge", json={"primaryObjectId": first, "objectIdToMerge": three})["id"]
    kept = props(crm, last, "email,phone,hs_merged_object_ids,hs_additional_emails")
    assert (kept["email"], kept["hs_additional_emails"]) == ("a@people.example", "b@people.example;c@people.example")
    assert (kept["phone"], kept["hs_merged_object_ids"].split(";")) == ("b", [one, two, first, three])
    for gone in (one, two, first, three):
        assert crm("GET", f"{CONTACTS}/{gone}").status_code == 404
        assert crm("GET", f"{CONTACTS}/{gone}", params={"archived": "true"}).status_code == 404
    assert crm("POST", CONTACTS, json={"properties": {"email": "C@people.example"}}).status_code == 409
    into = {r["id"]: r["merged_into"] for r in twins.hubspot.records() if r["state"] == "merged"}
    assert into == {one: first, two: first, first: last, three: last}


def test_a_merge_never_loses_an_opt_out(twins, crm):
    one, two = make(crm, email="a@people.example"), make(crm, email="b@people.example")
    for act in ("resubscribe", "unsubscribe"):
        twins.hubspot.edit(act, id=one if act == "resubscribe" else two)
    merged = twins.hubspot.edit("merge", winner=one, loser=two)
    assert props(crm, merged)["hs_email_optout"] == "true"


def test_opting_out_moves_the_stamp_and_outlives_the_contact(twins, crm):
    id = make(crm, email="ann@people.example")
    before = props(crm, id)
    body = {"inputs": ["Ann@people.example", "nobody@people.example"]}
    assert crm("POST", f"{STATUSES}/unsubscribe-all", json=body).status_code == 400  # which channel?
    crm.ok("POST", f"{STATUSES}/unsubscribe-all", json=body, params={"channel": "EMAIL"})
    after = props(crm, id)
    assert (before["hs_email_optout"], after["hs_email_optout"]) == (None, "true")
    assert after["lastmodifieddate"] > before["lastmodifieddate"]
    assert props(crm, make(crm, email="nobody@people.example"))["hs_email_optout"] == "true"
    twins.hubspot.edit("resubscribe", id=id)
    read = crm.ok("POST", f"{STATUSES}/read", json=body, params={"channel": "EMAIL"})["results"]
    assert [r["statuses"][0]["status"] for r in read] == ["SUBSCRIBED", "UNSUBSCRIBED"]
    assert props(crm, id)["hs_email_optout"] == "false"


def test_options_come_and_go_while_old_values_stay(twins, crm):
    id = make(crm, email_status="bounced")
    twins.hubspot.edit("remove_option", field="email_status", value="bounced")
    assert props(crm, id, "email_status")["email_status"] == "bounced"
    assert crm("POST", CONTACTS, json={"properties": {"email_status": "bounced"}}).status_code == 400
