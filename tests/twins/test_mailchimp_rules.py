"""The marketing twin's rules: who may be written and how; what a value becomes; what moves `last_changed`."""

import pytest

from .test_mailchimp_reads import LIST, MEMBERS, md5, problem

ANN = "ann@people.example"


def state(mc, email=ANN):
    return mc.ok("GET", f"{MEMBERS}/{email}")


def put(mc, email=ANN, ref=None, **body):
    return mc("PUT", f"{MEMBERS}/{md5(ref or email)}", json={"email_address": email, "status_if_new": "subscribed", **body})


@pytest.fixture
def ann(twins, mc):
    twins.mailchimp.clock(now="2026-05-01T10:00:00Z", frozen=True)
    twins.mailchimp.edit("create", email=ANN, fields={"FNAME": "Ann", "STAGE": "MQL", "tags": ["vip"]})
    twins.mailchimp.clock(advance_s=60)
    return state(mc)


@pytest.mark.parametrize(
    ("tag", "sent", "stored"),
    [
        ("FNAME", "  Zoë  ", "Zoë"),
        ("FNAME", "x" * 60, "x" * 50),
        ("PHONE", "whatever 01", "whatever 01"),
        ("BDAY", "1990-05-01", "1990-05-01"),
        ("STAGE", "CUST", "CUST"),
        ("STAGE", "", ""),
        ("FNAME", None, ""),
        ("SCORE", "12", 12),
        ("SCORE", 1.5, 1.5),
    ],
)
def test_merge_values_are_trimmed_cut_or_cleared(twins, mc, ann, tag, sent, stored):
    twins.mailchimp.edit("add_field", tag="SCORE", type="number")
    answer = put(mc, merge_fields={tag: sent, "UNKNOWN": "x"})
    assert answer.status_code == 200
    assert answer.json()["merge_fields"][tag] == stored and "UNKNOWN" not in answer.json()["merge_fields"]
    assert state(mc)["merge_fields"]["FNAME"] == (stored if tag == "FNAME" else "Ann")  # what is left out stays


@pytest.mark.parametrize(("tag", "value"), [("STAGE", "Lead"), ("BDAY", "01/05/1990"), ("BDAY", "1990-13-01"), ("SCORE", "many")])
def test_a_refused_value_names_its_field_and_changes_nothing(twins, mc, ann, tag, value):
    twins.mailchimp.edit("add_field", tag="SCORE", type="number")
    answer = put(mc, merge_fields={"FNAME": "Eve", tag: value})
    assert problem(answer) == (400, "Invalid Resource")
    assert [e["field"] for e in answer.json()["errors"]] == [tag]
    assert state(mc)["merge_fields"]["FNAME"] == "Ann"


@pytest.mark.parametrize("email", ["ann", "ann@example.com", "ann@mail.test", "a b@people.example", "ann@localhost"])
def test_fake_addresses_are_refused(mc, email):
    answer = mc("POST", MEMBERS, json={"email_address": email, "status": "subscribed"})
    assert problem(answer) == (400, "Invalid Resource") and answer.json()["errors"][0]["field"] == "email_address"


def test_put_needs_an_address_and_a_status_for_new_members(mc):
    for body in ({"email_address": ANN}, {"status_if_new": "subscribed"}, {"email_address": ANN, "status_if_new": "gone"}):
        assert problem(mc("PUT", f"{MEMBERS}/{md5(ANN)}", json=body)) == (400, "Invalid Resource")
    made = put(mc, tags=["vip"], status_if_new="pending").json()
    assert (made["status"], made["timestamp_opt"], made["tags_count"], made["source"]) == ("pending", "", 1, "API - Generic")
    again = put(mc, tags=["event"]).json()
    assert (again["status"], [t["name"] for t in again["tags"]]) == ("pending", ["vip"])  # status and tags of an old member stay


def test_only_a_real_change_moves_last_changed(twins, mc, ann):
    put(mc, email="ANN@people.example", ref=ANN, merge_fields={"FNAME": " Ann ", "LNAME": ""}, status="subscribed")
    assert state(mc) == ann
    assert mc("POST", f"{MEMBERS}/{ANN}/tags", json={"tags": [{"name": "vip", "status": "active"}]}).status_code == 204
    assert state(mc) == ann
    order = [{"name": "vip", "status": "inactive"}, {"name": "event", "status": "active"}]
    assert mc("POST", f"{MEMBERS}/{ANN}/tags", json={"tags": order}).status_code == 204
    assert [t["name"] for t in state(mc)["tags"]] == ["event"]
    assert state(mc)["last_changed"] == "2026-05-01T10:01:00+00:00"
    assert problem(mc("POST", f"{MEMBERS}/{ANN}/tags", json={"tags": [{"name": "x"}]})) == (400, "Invalid Resource")


def test_post_refuses_a_member_and_patch_an_unknown_one(mc, ann):
    assert problem(mc("POST", MEMBERS, json={"email_address": ANN, "status": "subscribed"})) == (400, "Member Exists")
    assert problem(mc("PATCH", f"{MEMBERS}/{md5('no@people.example')}", json={})) == (404, "Resource Not Found")


@pytest.mark.parametrize(
    ("act", "status", "code"),
    [
        ("unsubscribe", "subscribed", 400),
        ("unsubscribe", "transactional", 400),
        ("unsubscribe", "unsubscribed", 200),
        ("unsubscribe", "pending", 200),
        ("clean", "subscribed", 400),
        ("clean", "unsubscribed", 400),
        ("clean", "pending", 200),
    ],
)
def test_after_the_persons_own_no_the_api_may_only_ask_again(twins, mc, ann, act, status, code):
    twins.mailchimp.edit(act, email=ANN)
    was = state(mc)["status"]
    for answer in (put(mc, status=status), mc("PATCH", f"{MEMBERS}/{md5(ANN)}", json={"status": status})):
        assert answer.status_code == code
        if code == 400:
            assert problem(answer) == (400, "Member In Compliance State")
    assert state(mc)["status"] == (status if code == 200 else was)


@pytest.mark.parametrize("act", ["unsubscribe", "clean"])
def test_asking_again_is_no_consent_until_the_person_says_so(twins, mc, ann, act):
    twins.mailchimp.edit(act, email=ANN)
    assert put(mc, status="pending").status_code == 200
    assert problem(put(mc, status="subscribed")) == (400, "Member In Compliance State")
    twins.mailchimp.edit("resubscribe", email=ANN)
    assert put(mc, status="unsubscribed").json()["status"] == "unsubscribed"
    assert put(mc, status="subscribed").json()["status"] == "subscribed"


def test_fields_of_an_unsubscribed_member_may_still_be_written(twins, mc, ann):
    twins.mailchimp.edit("unsubscribe", email=ANN)
    assert put(mc, merge_fields={"FNAME": "Anna"}).json()["status"] == "unsubscribed"
    assert state(mc)["merge_fields"]["FNAME"] == "Anna"


def test_an_admins_unsubscribe_can_be_undone(twins, mc, ann):
    for unsubscribe in (
        lambda: twins.mailchimp.edit("update", email=ANN, fields={"status": "unsubscribed"}),
        lambda: put(mc, status="unsubscribed"),
    ):
        unsubscribe()
        assert put(mc, status="subscribed").json()["status"] == "subscribed"


def test_a_person_may_come_back_by_a_form_with_proof(twins, mc, ann):
    twins.mailchimp.edit("unsubscribe", email=ANN)
    twins.mailchimp.edit("resubscribe", email=ANN)
    now = state(mc)
    assert (now["status"], now["timestamp_opt"], now["source"]) == ("subscribed", "2026-05-01T10:01:00+00:00", "Hosted Signup Form")
    assert now["ip_opt"]


def test_archiving_and_reviving_keeps_fields_and_tags(twins, mc, ann):
    assert mc("DELETE", f"{MEMBERS}/{md5(ANN)}").status_code == 204
    assert state(mc)["status"] == "archived"
    back = mc.ok("POST", MEMBERS, json={"email_address": ANN, "status": "subscribed"})
    assert (back["contact_id"], back["merge_fields"], back["tags"]) == (ann["contact_id"], ann["merge_fields"], ann["tags"])
    twins.mailchimp.edit("delete", email=ANN)
    assert put(mc).json()["status"] == "subscribed"


def test_archiving_does_not_launder_an_unsubscribe(twins, mc, ann):
    twins.mailchimp.edit("unsubscribe", email=ANN)
    mc("DELETE", f"{MEMBERS}/{md5(ANN)}")
    assert problem(put(mc, status="subscribed")) == (400, "Member In Compliance State")
    twins.mailchimp.edit("restore", email=ANN)
    assert problem(put(mc, status="subscribed")) == (400, "Member In Compliance State")


def test_bounced_and_pending_members_cannot_be_archived(twins, mc, ann):
    twins.mailchimp.edit("clean", email=ANN)
    assert mc("DELETE", f"{MEMBERS}/{md5(ANN)}").status_code == 405
    put(mc, status="pending")
    assert mc("DELETE", f"{MEMBERS}/{md5(ANN)}").status_code == 405


def test_a_permanent_delete_is_forgotten_even_for_pending(twins, mc, ann):
    assert mc("POST", f"{MEMBERS}/{md5(ANN)}/actions/delete-permanent").status_code == 204
    assert mc("GET", f"{MEMBERS}/{ANN}").status_code == 404
    for answer in (put(mc, status="pending"), mc("POST", MEMBERS, json={"email_address": ANN, "status": "pending"})):
        assert problem(answer) == (400, "Forgotten Email Not Subscribed")
    assert [r["state"] for r in twins.mailchimp.records()] == ["deleted"]
    twins.mailchimp.edit("resubscribe", email=ANN)  # the person may
    assert state(mc)["status"] == "subscribed" and state(mc)["contact_id"] != ann["contact_id"]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_an_address_change_keeps_the_person_and_changes_the_hash(twins, mc, ann, method):
    body = {"email_address": "anna@people.example", "status_if_new": "subscribed"}
    moved = mc.ok(method, f"{MEMBERS}/{md5(ANN)}", json=body)
    assert (moved["id"], moved["contact_id"]) == (md5("anna@people.example"), ann["contact_id"])
    assert mc("GET", f"{MEMBERS}/{md5(ANN)}").status_code == 404
    twins.mailchimp.edit("create", email=ANN)
    clash = mc(method, f"{MEMBERS}/{ann['contact_id']}", json={**body, "email_address": ANN})
    assert problem(clash) == (400, "Member Exists")
    assert ("type" in clash.json()) == (method == "PATCH")  # a PUT's answer carries none


def many(mc, *members, **more):
    return mc("POST", LIST, json={"members": list(members), **more})


def one(email, **more):
    return {"email_address": email, "status": "subscribed", **more}


def test_a_batch_creates_updates_and_fails_each_on_its_own(twins, mc, ann):
    twins.mailchimp.edit("create", email="left@people.example")
    twins.mailchimp.edit("unsubscribe", email="left@people.example")
    answer = many(
        mc, one("new@people.example", tags=["trial"]), one(ANN, merge_fields={"FNAME": "Anna"}, tags=["event"]), one("NEW@people.example"),
        one("x@example.com"), one("left@people.example"), one("y@people.example", merge_fields={"STAGE": "?"}), update_existing=True,
    ).json()  # fmt: skip
    assert (answer["total_created"], answer["total_updated"], answer["error_count"]) == (1, 1, 4)
    assert [m["email_address"] for m in answer["new_members"]] == ["new@people.example"]
    assert sorted(t["name"] for t in answer["updated_members"][0]["tags"]) == ["event", "vip"]
    errors = {e["email_address"]: (e["error_code"], e["field"]) for e in answer["errors"]}
    assert errors == {
        "NEW@people.example": ("ERROR_GENERIC", ""), "x@example.com": ("ERROR_GENERIC", ""),
        "left@people.example": ("ERROR_GENERIC", ""), "y@people.example": ("ERROR_GENERIC", "STAGE"),
    }  # fmt: skip
    assert mc("GET", f"{MEMBERS}/y@people.example").status_code == 404


def test_a_batch_leaves_known_members_unless_told_and_can_replace_tags(mc, ann):
    answer = many(mc, one(ANN, merge_fields={"FNAME": "Eve"})).json()
    assert [e["error_code"] for e in answer["errors"]] == ["ERROR_CONTACT_EXISTS"] and state(mc) == ann
    many(mc, one(ANN, tags=["event"]), update_existing=True, sync_tags=True)
    assert [t["name"] for t in state(mc)["tags"]] == ["event"]


def test_a_batch_holds_five_hundred(mc):
    assert problem(many(mc, *[one(f"m{n}@people.example") for n in range(501)])) == (400, "Invalid Resource")
    full = many(mc, *[one(f"m{n}@people.example") for n in range(500)]).json()
    assert (full["total_created"], full["error_count"]) == (500, 0)


def test_choices_come_and_go(twins, mc, ann):
    twins.mailchimp.edit("add_option", field="STAGE", value="LOST")
    assert put(mc, merge_fields={"STAGE": "LOST"}).status_code == 200
    twins.mailchimp.edit("remove_option", field="STAGE", value="LOST")
    assert state(mc)["merge_fields"]["STAGE"] == "LOST"
    assert put(mc, merge_fields={"STAGE": "LOST", "FNAME": "Eve"}).status_code == 400
