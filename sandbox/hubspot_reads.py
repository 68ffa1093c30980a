"""The CRM twin's reads: account, properties, owners, contact lists and the search."""

from .hubspot_api import CONTACTS, READ, Api, paged, request_json, wanted
from .hubspot_search import MOST_RESULTS, Bad
from .wire import Reply, Request, Route

PORTAL_ID = 20_260_401


class Reads:
    def __init__(self, api: Api) -> None:
        self.api, self.crm = api, api.state

    def routes(self) -> list[Route]:
        return [
            Route("POST", "/oauth/v2/private-apps/get/access-token-info", self.token_info),
            Route("GET", "/account-info/v3/details", self.account),
            Route("GET", "/crm/v3/properties/contacts", self.properties, "crm.schemas.contacts.read"),
            Route("GET", "/crm/v3/owners", self.owners, "crm.objects.owners.read"),
            Route("GET", CONTACTS, self.list, READ),
            Route("POST", f"{CONTACTS}/search", self.search, READ),
            Route("GET", f"{CONTACTS}/{{id}}", self.get, READ),
        ]

    def token_info(self, request: Request) -> Reply:
        if request_json(request).get("tokenKey") != self.api.token:
            return self.api.fail("expire_token", request)
        return Reply({"userId": 501, "hubId": PORTAL_ID, "appId": 900_001, "scopes": self.api.scopes()})

    def account(self, request: Request) -> Reply:
        return Reply({"portalId": PORTAL_ID, "accountType": "STANDARD", "timeZone": "Europe/Dublin", "companyCurrency": "EUR",
                      "utcOffset": "+00:00", "utcOffsetMilliseconds": 0, "dataHostingLocation": "eu1"})  # fmt: skip

    def properties(self, request: Request) -> Reply:
        return Reply({"results": [p.describe() for p in self.crm.table.values()]})

    def owners(self, request: Request) -> Reply:
        owners = sorted(self.crm.owners, key=lambda o: int(o["id"]))
        limit, after = self.api.number(request, "limit", 100, 500), self.api.number(request, "after", 0)
        page = owners[after : after + limit]
        return Reply(paged(page, str(after + limit) if after + limit < len(owners) else None))

    def list(self, request: Request) -> Reply:
        limit, after = self.api.number(request, "limit", 10, 100), self.api.number(request, "after", 0)
        if request.struck("empty"):
            return Reply({"results": []})
        contacts, last = self.crm.page(after, limit, request.query.get("archived") == "true")
        return Reply(paged(self.api.rows(request, contacts, wanted(request)), str(last) if last else None), read=len(contacts))

    def get(self, request: Request) -> Reply:
        contact = self.api.find(request.params["id"], request.query.get("idProperty"), request.query.get("archived") == "true")
        if contact is None:
            return self.api.fail("not_found", request)
        return Reply(self.api.rows(request, [contact], wanted(request))[0], read=1)

    def search(self, request: Request) -> Reply:
        body = request_json(request)
        limit, after = body.get("limit", 10), str(body.get("after") or 0)
        if len(request.raw) > 3000:
            return self.api.error(400, "VALIDATION_ERROR", "The request body is over 3000 characters.")
        if not isinstance(limit, int) or not 1 <= limit <= 200 or not after.isdigit():
            return self.api.error(400, "VALIDATION_ERROR", "limit must be between 1 and 200, and after a number")
        after = int(after)
        if after + limit > MOST_RESULTS:
            return self.api.error(400, "VALIDATION_ERROR", f"The requested page is beyond the first {MOST_RESULTS} results.")
        if request.struck("empty"):
            return Reply({"total": 0, "results": []})
        self.crm.index.catch_up(self.api.clock.now_ms())
        try:
            ids = self.crm.index.find(body, self.crm.table)
        except (Bad, KeyError) as bad:
            return self.api.error(400, "VALIDATION_ERROR", f"There was a problem with the request: {bad}")
        shown = [self.crm.live[i] for i in ids[after : after + limit] if i in self.crm.live]
        rows = self.api.rows(request, shown, body.get("properties") or [])
        more = str(after + limit) if after + limit < len(ids) else None
        return Reply({"total": len(ids), **paged(rows, more)}, read=len(rows))
