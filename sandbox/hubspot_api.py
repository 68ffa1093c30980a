"""What every CRM call shares: the token, scopes, rate windows, the shape of errors and of a contact."""

from collections.abc import Iterable

import msgspec

from .clock import Clock
from .faults import Faults, Window
from .hubspot_properties import iso
from .hubspot_search import Contact
from .hubspot_state import Crm
from .wire import Refused, Reply, Request, Route

READ, WRITE = "crm.objects.contacts.read", "crm.objects.contacts.write"
SCOPES = [READ, WRITE, "crm.schemas.contacts.read", "crm.objects.owners.read", "communication_preferences.read_write"]
DEFAULT_PROPERTIES = ["createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname"]
SYSTEM_PROPERTIES = ["createdate", "hs_object_id", "lastmodifieddate"]
CONTACTS = "/crm/v3/objects/contacts"


class Api:
    """The state behind the API and its manners. Refusals are raised as `Refused` in the vendor's error shape."""

    def __init__(self, token: str, rate: bool) -> None:
        self.token, self.refusals = token, 0
        self.clock, self.faults = Clock(tick_ms=1), Faults(rate)
        self.state = Crm(self.clock, self.faults)
        self.routes: list[Route] = []
        self.open_windows()

    def open_windows(self) -> None:
        """Forget past calls: both rate windows are empty again."""
        self.windows = {"general": Window(), "search": Window()}

    def admit(self, request: Request, route: Route) -> dict[str, str]:
        self.state.recalculate()
        headers = self._limit(request)
        if route.template.startswith("/oauth"):
            return headers
        if request.headers.get(b"authorization", b"").decode() != f"Bearer {self.token}":
            raise Refused(self.fail("expire_token", request))
        if route.scope and route.scope not in self.scopes():
            raise Refused(self.no_scope(route.scope))
        return headers

    def _limit(self, request: Request) -> dict[str, str]:
        rate, searching = self.faults.rate, request.path.endswith("/search")
        most, window_s = (rate.search_max, rate.search_window_s) if searching else (rate.max, rate.window_s)
        window = self.windows["search" if searching else "general"]
        if not rate.on:
            return {}
        if not window.admit(self.clock.now_ms(), most, window_s):
            raise Refused(self.fail("429", request))
        return {} if searching else self._rate_headers(most - len(window.stamps))

    def _rate_headers(self, left: int) -> dict[str, str]:
        rate = self.faults.rate
        return {
            "X-HubSpot-RateLimit-Max": str(rate.max),
            "X-HubSpot-RateLimit-Remaining": str(left),
            "X-HubSpot-RateLimit-Interval-Milliseconds": str(round(rate.window_s * 1000)),
        }

    def scopes(self) -> list[str]:
        return SCOPES if self.faults.scopes is None else self.faults.scopes

    def fail(self, kind: str, request: Request) -> Reply:
        if kind == "429":
            return self._throttled(request.path.endswith("/search"))
        if kind == "drop_scope":
            return self.no_scope(next((r.scope for r in self.routes if (r.method, r.template) == (request.method, request.template)), READ))
        status, category, message = {
            "500": (500, "INTERNAL_ERROR", "internal error"),
            "expire_token": (401, "INVALID_AUTHENTICATION", "Authentication credentials not found or invalid."),
            "not_found": (404, "OBJECT_NOT_FOUND", "resource not found"),
            "bad_json": (400, "VALIDATION_ERROR", "Invalid input JSON"),
        }[kind]
        return self.error(status, category, message)

    def error(self, status: int, category: str, message: str, **more: object) -> Reply:
        self.refusals += 1
        trace = f"{self.refusals:08x}-0000-4000-8000-000000000000"
        return Reply({"status": "error", "message": message, "correlationId": trace, "category": category, **more}, status)

    def no_scope(self, scope: str) -> Reply:
        one = {"message": "One or more of the following scopes are required.", "context": {"requiredGranularScopes": [scope]}}
        return self.error(403, "MISSING_SCOPES", "This app hasn't been granted all required scopes to make this call.", errors=[one])

    def _throttled(self, searching: bool) -> Reply:
        policy = "SECONDLY" if searching else "TEN_SECONDLY_ROLLING"
        words = f"You have reached your {policy.lower()} limit."
        reply = self.error(429, "RATE_LIMITS", words, errorType="RATE_LIMIT", policyName=policy)
        reply.headers = {} if searching else self._rate_headers(0)
        return reply

    def row(self, contact: Contact, names: Iterable[str], **more: object) -> dict:
        """A contact as the API shows it: a never-set property is null, a cleared one ""."""
        props = {name: contact.props.get(name) for name in names}
        shown = {"id": str(contact.id), "properties": props, "createdAt": iso(contact.created_ms), "updatedAt": iso(contact.modified_ms)}
        if contact.archived_ms is not None:
            return {**shown, "archived": True, "archivedAt": iso(contact.archived_ms), **more}
        return {**shown, "archived": False, **more}

    def names(self, wanted: list[str]) -> list[str]:
        """Known properties to show; unknown names are passed over in silence."""
        return [n for n in dict.fromkeys(wanted + SYSTEM_PROPERTIES) if n in self.state.table] if wanted else DEFAULT_PROPERTIES

    def rows(self, request: Request, contacts: Iterable[Contact], wanted: list[str]) -> list[dict]:
        names = self.names(wanted)
        if request.struck("stale_page"):
            contacts = [self.state.before.get(c.id, c) for c in contacts]
        return [self.row(c, names) for c in contacts]

    def find(self, ref: str, id_property: str | None = None, archived: bool = False) -> Contact | None:
        """The contact by record id, or by a unique property."""
        if id_property in (None, "hs_object_id"):
            id = int(ref) if ref.isdigit() else -1
        else:
            index = {"email": self.state.emails, "syncline_key": self.state.keys}.get(id_property)
            if index is None:
                raise Refused(self.error(400, "VALIDATION_ERROR", f"{id_property} is not a unique property"))
            id = index.get(ref.strip().lower() if id_property == "email" else ref, -1)
        return (self.state.archived if archived else self.state.live).get(id)

    def number(self, request: Request, name: str, default: int, most: int | None = None) -> int:
        text = request.query.get(name) or str(default)
        if not text.isdigit() or (most and not 1 <= int(text) <= most):
            raise Refused(self.error(400, "VALIDATION_ERROR", f"{name} is not valid: {text}"))
        return int(text)


def request_json(request: Request) -> dict:
    """The body as an object. Raises msgspec.MsgspecError."""
    return msgspec.json.decode(request.raw or b"{}", type=dict)


def wanted(request: Request) -> list[str]:
    return [n for n in request.query.get("properties", "").split(",") if n]


def paged(results: list, after: str | None) -> dict:
    return {"results": results, "paging": {"next": {"after": after}}} if after else {"results": results}
