"""The CRM twin's search: operators, limits, the cap, and an index that lags behind the rows it shows."""

import pytest

CONTACTS = "/crm/v3/objects/contacts"
ROWS = [
    {"email": "a@people.example", "firstname": "Ann", "marketing_score": "5", "date_of_birth": "1990-01-01", "marketing_tags": "vip"},
    {"email": "b@people.example", "firstname": "Bob", "marketing_score": "40", "date_of_birth": "1980-01-01", "is_test": "true"},
    {"email": "c@people.example", "marketing_score": "300", "syncline_key": "k3"},
]


def query(*groups, sorts=None, **more):
    filters = [{"filters": [dict(zip(("propertyName", "operator", "value", "highValue"), f, strict=False)) for f in g]} for g in groups]
    return {"filterGroups": filters, "sorts": sorts or [], **more}


@pytest.fixture
def find(twins, crm):
    for row in ROWS:
        twins.hubspot.edit("create", fields=row)
    return lambda body: "".join(c["properties"]["email"][0] for c in crm.ok("POST", f"{CONTACTS}/search", json=body)["results"])


def down(name):
    return [{"propertyName": name, "direction": "DESCENDING"}]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (query(), "abc"),
        (query([("email", "EQ", "B@people.example")]), "b"),
        (query([("firstname", "NEQ", "Ann")]), "bc"),
        (query([("marketing_score", "GT", "5")]), "bc"),
        (query([("marketing_score", "GTE", "40"), ("marketing_score", "LT", "300")]), "b"),
        (query([("marketing_score", "LTE", "40")]), "ab"),
        (query([("marketing_score", "BETWEEN", "5", "40")]), "ab"),
        (query([("date_of_birth", "LT", "1985-01-01")]), "b"),
        (query([("firstname", "HAS_PROPERTY")]), "ab"),
        (query([("firstname", "NOT_HAS_PROPERTY")]), "c"),
        (query([("syncline_key", "EQ", "k3")]), "c"),
        (query([("firstname", "EQ", "ann")], [("marketing_score", "EQ", "300")]), "ac"),
        (query(sorts=down("lastmodifieddate")), "cba"),
        (query(sorts=down("marketing_score")), "cba"),
        (query(sorts=[{"propertyName": "firstname", "direction": "ASCENDING"}]), "abc"),
        (
            {
                "filterGroups": [
                    {"filters": [{"propertyName": "email", "operator": "IN", "values": ["c@people.example", "a@people.example"]}]}
                ]
            },
            "ac",
        ),
    ],
)
def test_operators_groups_and_sorts(find, body, found):
    assert find(body) == found


def test_time_windows_and_id_walks(twins, crm):
    twins.hubspot.clock(now="2026-05-01T10:00:00Z", frozen=True, tick_ms=0)
    ids = [twins.hubspot.edit("create", fields={"firstname": str(n)}) for n in range(5)]
    twins.hubspot.clock(advance_s=1)
    ids.append(twins.hubspot.edit("create", fields={"firstname": "later"}))

    def walk(*filters, **more):
        got = crm.ok("POST", f"{CONTACTS}/search", json=query(list(filters), **more))
        return [c["id"] for c in got["results"]]

    at, end = "2026-05-01T10:00:00Z", "1777629601000"  # ISO text and epoch milliseconds both do
    assert walk(("lastmodifieddate", "EQ", at)) == ids[:5]
    assert walk(("lastmodifieddate", "GT", at)) == walk(("lastmodifieddate", "GTE", end)) == ids[5:]
    assert walk(("lastmodifieddate", "BETWEEN", at, end)) == ids
    assert walk(("lastmodifieddate", "LT", end), ("hs_object_id", "GT", ids[1])) == ids[2:5]
    assert walk(("lastmodifieddate", "LTE", end), ("hs_object_id", "GT", ids[1]), sorts=down("hs_object_id")) == ids[:1:-1]


def test_pages_go_on_from_an_offset_and_total_counts_all(twins, crm):
    for n in range(5):
        twins.hubspot.edit("create", fields={"firstname": str(n)})
    first = crm.ok("POST", f"{CONTACTS}/search", json=query(limit=2, properties=["firstname"]))
    assert (first["total"], first["paging"]["next"]["after"]) == (5, "2")
    last = crm.ok("POST", f"{CONTACTS}/search", json=query(limit=2, after="4", properties=["firstname"]))
    assert [c["properties"]["firstname"] for c in last["results"]] == ["4"] and "paging" not in last


F = ("firstname", "EQ", "x")


@pytest.mark.parametrize(
    "body",
    [
        query(*[[F]] * 6),
        query([F] * 7),
        query(*[[F] * 5] * 4),
        query([("nope", "EQ", "x")]),
        query([("firstname", "LIKE", "x")]),
        query([("firstname", "EQ")]),
        query([("marketing_score", "GT", "many")]),
        query(limit=201),
        query(after="next"),
        query(limit=200, after="9801"),
        query([("firstname", "EQ", "x" * 3000)]),
        query(sorts=down("firstname") * 2),
    ],
)
def test_what_the_search_refuses(crm, body):
    answer = crm("POST", f"{CONTACTS}/search", json=body)
    assert (answer.status_code, answer.json()["category"]) == (400, "VALIDATION_ERROR")


def test_the_last_page_below_the_cap_is_allowed(crm):
    assert crm.ok("POST", f"{CONTACTS}/search", json=query(limit=200, after="9800"))["total"] == 0


def test_the_index_lags_but_rows_are_shown_live(twins, crm):
    twins.hubspot.clock(now="2026-05-01T10:00:00Z", frozen=True)
    id = twins.hubspot.edit("create", fields={"email": "old@people.example"})
    twins.hubspot.faults(lag_s=10)
    twins.hubspot.edit("update", id=id, fields={"email": "new@people.example"})
    unseen = twins.hubspot.edit("create", fields={"email": "made@people.example"})

    def emails(address):
        got = crm.ok("POST", f"{CONTACTS}/search", json=query([("email", "EQ", address)]))
        return [c["properties"]["email"] for c in got["results"]]

    assert emails("old@people.example") == ["new@people.example"]  # picked by the past, shown as now
    assert emails("new@people.example") == emails("made@people.example") == []
    assert crm("GET", f"{CONTACTS}/{unseen}").status_code == 200  # reads by id do not lag
    twins.hubspot.clock(advance_s=11)
    assert emails("old@people.example") == []
    assert emails("new@people.example") == ["new@people.example"]


def test_archived_rows_are_never_shown_though_the_late_index_counts_them(twins, crm):
    twins.hubspot.clock(now="2026-05-01T10:00:00Z", frozen=True)
    id = twins.hubspot.edit("create", fields={"firstname": "Ann"})
    twins.hubspot.faults(lag_s=10)
    twins.hubspot.edit("delete", id=id)
    late = crm.ok("POST", f"{CONTACTS}/search", json=query())
    assert (late["total"], late["results"]) == (1, [])
    twins.hubspot.clock(advance_s=11)
    assert crm.ok("POST", f"{CONTACTS}/search", json=query())["total"] == 0
