"""What both twins share: faults, limits, the clock, counted calls, effects and backups."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

CONTACTS = "/crm/v3/objects/contacts"
MEMBERS = "/lists/8c1f00/members"
MADE = {"email_address": "a@people.example", "status": "subscribed"}


@pytest.fixture(params=["hubspot", "mailchimp"])
def side(request, twins, crm, mc):
    """(twin, create one record, list records) for either side."""
    if request.param == "hubspot":
        made = {"properties": {"email": "a@people.example"}}
        return twins.hubspot, lambda: crm("POST", CONTACTS, json=made), lambda: crm("GET", CONTACTS)
    return twins.mailchimp, lambda: mc("POST", MEMBERS, json=MADE), lambda: mc("GET", MEMBERS)


@pytest.mark.parametrize(
    ("kind", "status", "applied"),
    [("429", 429, 0), ("500_before", 500, 0), ("500_after", 500, 1), ("html", 403, 0), ("drop_scope", 403, 0), ("expire_token", 401, 0)],
)
def test_a_fault_strikes_the_named_call_once(side, kind, status, applied):
    twin, create, read = side
    twin.faults(on="POST ", kind=kind, retry_after=3 if kind == "429" else None)
    assert read().status_code == 200
    answer = create()
    assert answer.status_code == status
    assert answer.headers.get("Retry-After") == ("3" if kind == "429" else None)
    assert ("html" in answer.headers["content-type"]) == (kind == "html")
    assert len(twin.records()) == applied
    assert create().status_code != status or applied


@pytest.mark.parametrize(("kind", "applied"), [("timeout_before", 0), ("timeout_after", 1)])
def test_a_timeout_drops_the_line_and_tells_nothing(side, kind, applied):
    twin, create, read = side
    twin.faults(hold_s=0.01)
    twin.faults(on="POST ", kind=kind)
    with pytest.raises(requests.ConnectionError):
        create()
    assert len(twin.records()) == applied
    assert read().status_code == 200


def test_after_and_times_choose_the_calls(side):
    twin, _, read = side
    twin.faults(on="GET", kind="500_before", after=2, times=2)
    assert [read().status_code for _ in range(6)] == [200, 200, 500, 500, 200, 200]


def test_clear_takes_faults_away_and_unknown_ones_are_refused(side):
    twin, _, read = side
    twin.faults(on="GET", kind="500_before", times=9)
    twin.faults(clear=True)
    assert read().status_code == 200
    for body in ({"on": "GET", "kind": "gremlins"}, {"no_such_switch": 1}):
        with pytest.raises(ValueError, match="error"):
            twin.faults(**body)


def test_an_empty_page_and_a_stale_page(twins, crm, mc):
    id = twins.hubspot.edit("create", fields={"email": "a@people.example", "firstname": "Ann"})
    twins.hubspot.edit("update", id=id, fields={"firstname": "Anna"})
    twins.mailchimp.edit("create", email="a@people.example", fields={"FNAME": "Ann"})
    twins.mailchimp.edit("update", email="a@people.example", fields={"FNAME": "Anna"})
    for twin in (twins.hubspot, twins.mailchimp):
        for kind in ("empty", "stale_page"):
            twin.faults(on="GET", kind=kind)
    assert (crm.ok("GET", CONTACTS)["results"], mc.ok("GET", MEMBERS)["members"]) == ([], [])
    for first in ("Ann", "Anna"):
        assert crm.ok("GET", CONTACTS)["results"][0]["properties"]["firstname"] == first
        assert mc.ok("GET", MEMBERS)["members"][0]["merge_fields"]["FNAME"] == first


def test_an_item_error_spoils_the_items_at_its_positions(twins, crm, mc):
    twins.hubspot.faults(on="batch/create", kind="item_error", items=[1])
    twins.mailchimp.faults(on="POST", kind="item_error", items=[0, 2])
    made = crm("POST", f"{CONTACTS}/batch/create", json={"inputs": [{"properties": {"firstname": n}} for n in "abc"]})
    assert (made.status_code, [r["properties"]["firstname"] for r in made.json()["results"]]) == (207, ["a", "c"])
    members = [{**MADE, "email_address": f"{n}@people.example"} for n in "abc"]
    many = mc.ok("POST", "/lists/8c1f00", json={"members": members})
    assert [e["email_address"][0] for e in many["errors"]] == ["a", "c"] and many["total_created"] == 1


def test_the_crm_has_two_rate_windows_and_only_one_shows(twins, crm):
    twins.hubspot.clock(now="2026-05-01T10:00:00Z", frozen=True)
    twins.hubspot.faults(rate={"max": 3, "search_max": 2})
    reads = [crm("GET", CONTACTS) for _ in range(4)]
    searches = [crm("POST", f"{CONTACTS}/search", json={}) for _ in range(3)]
    assert [r.status_code for r in reads + searches] == [200, 200, 200, 429, 200, 200, 429]
    assert [r.headers["X-HubSpot-RateLimit-Remaining"] for r in reads] == ["2", "1", "0", "0"]
    assert (reads[3].json()["policyName"], searches[2].json()["policyName"]) == ("TEN_SECONDLY_ROLLING", "SECONDLY")
    assert "secondly limit" in searches[2].json()["message"]
    assert not [h for r in searches for h in r.headers if "ratelimit" in h.lower()]
    twins.hubspot.clock(advance_s=1)
    assert (crm("POST", f"{CONTACTS}/search", json={}).status_code, crm("GET", CONTACTS).status_code) == (200, 429)
    twins.hubspot.clock(advance_s=9)
    assert crm("GET", CONTACTS).status_code == 200
    assert twins.hubspot.calls()["throttled"] == 3


def test_the_marketing_side_bears_few_connections_at_once(twins, mc):
    twins.mailchimp.faults(rate={"connections": 2}, latency_s=0.1)

    def ping(_):
        return requests.get(mc.base + "/ping", auth=mc.http.auth, timeout=5)

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(ping, range(6)))
    assert {a.status_code for a in answers} == {200, 429}
    assert not [h for a in answers for h in a.headers if "rate" in h.lower() or h.lower() == "retry-after"]


def test_calls_are_counted_by_template_and_control_calls_are_not(twins, crm, mc):
    ids = [crm.ok("POST", CONTACTS, json={})["id"] for _ in range(3)]
    for id in ids:
        crm("GET", f"{CONTACTS}/{id}")
    crm("GET", CONTACTS)
    crm("GET", "/nowhere")
    counted = twins.hubspot.calls()
    assert counted["calls"] == {f"POST {CONTACTS}": 3, f"GET {CONTACTS}/{{id}}": 3, f"GET {CONTACTS}": 1, "GET (unknown)": 1}
    assert (counted["total"], counted["records_read"], counted["records_written"]) == (8, 6, 3)
    assert counted["by_status"] == {"201": 3, "200": 4, "404": 1}
    twins.hubspot.reset_calls()
    assert twins.hubspot.calls()["total"] == 0


def test_the_clock_rules_stamps_and_the_date_header(twins, crm, mc):
    twins.hubspot.clock(now="2026-05-01T10:00:00Z", frozen=True)
    stamps = [crm.ok("POST", CONTACTS, json={})["updatedAt"] for _ in range(2)]
    assert stamps == ["2026-05-01T10:00:00.001Z", "2026-05-01T10:00:00.002Z"]
    twins.hubspot.clock(tick_ms=0, advance_s=1)
    assert len({crm.ok("POST", CONTACTS, json={})["updatedAt"] for _ in range(2)}) == 1
    assert crm("GET", CONTACTS).headers["Date"] == "Fri, 01 May 2026 10:00:01 GMT"
    assert not mc("GET", "/ping").headers["Date"].endswith("10:00:01 GMT")  # each side has its own
    twins.mailchimp.clock(now="2030-01-01T00:00:00Z")
    assert mc("GET", "/ping").headers["Date"].startswith("Tue, 01 Jan 2030")


def test_effects_tell_who_changed_which_field(twins, crm, mc):
    id = twins.hubspot.edit("create", fields={"firstname": "Ann"})
    since = len(twins.hubspot.effects())
    crm.ok("PATCH", f"{CONTACTS}/{id}", json={"properties": {"firstname": "Eve", "phone": ""}})
    (entry,) = twins.hubspot.effects(since)
    assert {k: entry[k] for k in ("actor", "op", "id", "field", "before", "after")} == {
        "actor": "api", "op": "update", "id": id, "field": "firstname", "before": "Ann", "after": "Eve"
    }  # fmt: skip
    mc.ok("POST", MEMBERS, json=MADE)
    twins.mailchimp.edit("unsubscribe", email="a@people.example")
    told = [(e["actor"], e["op"], e["field"], e["after"]) for e in twins.mailchimp.effects()]
    assert told[0][:3] == ("api", "create", "*")
    assert told[1:] == [("human", "unsubscribe", "status", "unsubscribed"), ("human", "unsubscribe", "by_person", True)]


def test_a_restored_backup_brings_old_values_and_loses_newer_records(twins, crm, mc):
    id = twins.hubspot.edit("create", fields={"email": "a@people.example", "firstname": "Ann"})
    twins.mailchimp.edit("create", email="a@people.example", fields={"FNAME": "Ann"})
    before = (twins.hubspot.records(), twins.mailchimp.records())
    for twin in (twins.hubspot, twins.mailchimp):
        twin.edit("backup")
    newer = twins.hubspot.edit("create", fields={"email": "b@people.example"})
    twins.hubspot.edit("update", id=id, fields={"firstname": "Eve", "email": "eve@people.example"})
    twins.mailchimp.edit("change_email", email="a@people.example", to="eve@people.example")
    for twin in (twins.hubspot, twins.mailchimp):
        twin.edit("restore_backup")
    assert (twins.hubspot.records(), twins.mailchimp.records()) == before
    assert crm("GET", f"{CONTACTS}/{newer}").status_code == 404
    assert crm.ok("POST", f"{CONTACTS}/search", json={})["total"] == 1
    assert mc.ok("GET", f"{MEMBERS}/a@people.example")["merge_fields"]["FNAME"] == "Ann"


@pytest.mark.parametrize("order", [{"op": "dance"}, {"op": "update", "id": "1", "fields": {}}, {"op": "restore_backup"}])
def test_an_impossible_edit_is_refused_with_a_reason(side, order):
    twin, _, _ = side
    with pytest.raises(ValueError, match="error"):
        twin.edit(**order)
