"""The marketing twin: Mailchimp Marketing 3.0 over HTTP. `Mailchimp` is what the door serves and what tests hold."""

from base64 import b64decode

import msgspec

from . import mailchimp_people
from .clock import Clock
from .faults import Faults
from .mailchimp_batch import Batches
from .mailchimp_fields import BadField
from .mailchimp_members import STATUSES, WRITABLE, Member, Refusal, seconds
from .mailchimp_shapes import member, tree, trim, without
from .mailchimp_state import Audience
from .wire import Refused, Reply, Request, Route

KEY = "00000000000000000000000000000000-us99"
AUDIENCE = "8c1f00"
MEMBERS = "/3.0/lists/{list_id}/members"
ONE = MEMBERS + "/{ref}"
TYPE = "https://mailchimp.com/developer/marketing/docs/errors/"


class Mailchimp:
    """The marketing vendor. `state` is its `Audience`; `clock` and `faults` are its own."""

    def __init__(self, key: str = KEY, rate: bool = True) -> None:
        self.key, self.clock, self.faults = key, Clock(), Faults(rate)
        self.state = Audience(self.clock, AUDIENCE)
        self.routes = [
            Route("GET", "/3.0/", self.account),
            Route("GET", "/3.0/ping", lambda _: Reply({"health_status": "Everything's Chimpy!"})),
            Route("GET", "/3.0/lists", self.lists),
            Route("GET", "/3.0/lists/{list_id}", lambda r: self._told(r, self._list(r))),
            Route("GET", "/3.0/lists/{list_id}/merge-fields", self.merge_fields),
            Route("GET", MEMBERS, self.members),
            Route("POST", MEMBERS, self.add),
            Route("POST", "/3.0/lists/{list_id}", lambda r: Batches(self.state).write(self.checked(r))),
            Route("GET", ONE, lambda r: self._member(r, self._one(r))),
            Route("PUT", ONE, self.put),
            Route("PATCH", ONE, self.patch),
            Route("DELETE", ONE, self.archive),
            Route("POST", ONE + "/tags", self.tag),
            Route("POST", ONE + "/actions/delete-permanent", self.purge),
        ]
        for route in self.routes:
            route.handler = self._ruled(route.handler)

    # ---- the door's questions

    def admit(self, request: Request, route: Route) -> dict[str, str]:
        rate = self.faults.rate
        if rate.on and request.in_flight > rate.connections:
            raise Refused(self.fail("429", request))
        kind, _, secret = request.headers.get(b"authorization", b"").decode().partition(" ")
        if not secret:
            raise Refused(self.problem(request, 401, "API Key Missing", "Your request did not include an API key."))
        if kind.lower() != "basic" or _password(secret) != self.key:
            raise Refused(self.fail("expire_token", request))
        return {}

    def fail(self, kind: str, request: Request) -> Reply:
        return self.problem(request, *{
            "429": (429, "Too Many Requests", "You have exceeded the limit of 10 simultaneous connections."),
            "500": (500, "Internal Server Error", "An unexpected internal error has occurred."),
            "expire_token": (401, "API Key Invalid", "Your API key may be invalid, or you've attempted to access the wrong datacenter."),
            "drop_scope": (403, "User Does Not Have Access", "The API key does not have access to the requested operation."),
            "not_found": (404, "Resource Not Found", "The requested resource could not be found."),
            "bad_json": (400, "JSON Parse Error", "We encountered an unspecified JSON parsing error."),
        }[kind])  # fmt: skip

    def problem(self, request: Request, status: int, title: str, detail: str, errors: list[dict] | None = None) -> Reply:
        body = {"type": TYPE, "title": title, "status": status, "detail": detail, "instance": f"twin-{status}-{len(self.state.log):x}"}
        if title == "Member Exists" and request.method == "PUT":
            del body["type"]  # seen in recorded answers
        body |= {"errors": errors} if errors else {}
        return Reply(body, status, {"content-type": "application/problem+json; charset=utf-8"})

    def _ruled(self, handler):
        """The handler, with the vendor's refusals turned into problem+json."""

        def act(request: Request) -> Reply:
            if request.params.get("list_id", self.state.list_id) != self.state.list_id:
                return self.fail("not_found", request)
            try:
                return handler(request)
            except Refusal as no:
                return self.problem(request, no.status, no.title, no.detail, no.errors)
            except BadField as no:
                return self.invalid(request, no.field, no.message)

        return act

    def invalid(self, request: Request, field: str, message: str) -> Reply:
        text = "The resource submitted could not be validated. For field-specific details, see the 'errors' array."
        return self.problem(request, 400, "Invalid Resource", text, [{"field": field, "message": message}])

    # ---- reads

    def account(self, request: Request) -> Reply:
        return self._told(request, {
            "account_id": "twin00", "login_id": "900001", "account_name": "Sandbox", "email": "ops@people.example", "role": "owner",
            "account_timezone": "Europe/Dublin", "pricing_plan_type": "monthly", "total_subscribers": self._count("subscribed"),
            "pro_enabled": False, "first_name": "Ops", "last_name": "Sandbox",
        })  # fmt: skip

    def lists(self, request: Request) -> Reply:
        return self._told(request, {"lists": [self._list(request)], "total_items": 1})

    def _list(self, request: Request) -> dict:
        stats = {"member_count": self._count("subscribed"), "unsubscribe_count": self._count("unsubscribed"),
                 "cleaned_count": self._count("cleaned"), "merge_field_count": len(self.state.table)}  # fmt: skip
        return {"id": self.state.list_id, "web_id": 8001, "name": "Sandbox audience", "double_optin": False, "stats": stats}

    def _count(self, status: str) -> int:
        return len(self.state.groups[status].by_seq)

    def merge_fields(self, request: Request) -> Reply:
        fields = list(self.state.table.values())
        count, offset = self._number(request, "count", 10, 1000), self._number(request, "offset", 0)
        page = [f.describe(self.state.list_id) for f in fields[offset : offset + count]]
        return self._told(request, {"merge_fields": page, "list_id": self.state.list_id, "total_items": len(fields)})

    def members(self, request: Request) -> Reply:
        count, offset = self._number(request, "count", 10, 1000), self._number(request, "offset", 0)
        status = self._one_of(request, "status", ("", *STATUSES))
        by_change = self._one_of(request, "sort_field", ("", "timestamp_opt", "timestamp_signup", "last_changed")) == "last_changed"
        down = self._one_of(request, "sort_dir", ("", "ASC", "DESC")) == "DESC"
        since_s, before_s = (self._instant(request, n) for n in ("since_last_changed", "before_last_changed"))
        page = self.state.page(status, since_s, before_s, by_change, down)
        seqs = [] if request.struck("empty") else page.seqs(offset, count)
        members = [self.state.members[seq] for seq in seqs]
        if request.struck("stale_page"):
            members = [self.state.before.get(m.seq, m) for m in members]
        return self._page(request, members, 0 if request.struck("empty") else page.total)

    def _page(self, request: Request, members: list[Member], total: int) -> Reply:
        keep = tree(request.query.get("fields", ""))
        body: dict = {}
        if not keep or "members" in keep:
            body["members"] = [member(self.state, m, keep.get("members", {})) for m in members]
        body |= {"list_id": self.state.list_id, "total_items": total}
        reply = self._told(request, {k: v for k, v in body.items() if not keep or k in keep})
        reply.read = len(members)
        return reply

    def _told(self, request: Request, body: dict) -> Reply:
        kept = trim(body, tree(request.query.get("fields", "")))
        return Reply(without(kept, tree(request.query.get("exclude_fields", ""))))

    def _member(self, request: Request, m: Member, status: int = 200, wrote: int = 0) -> Reply:
        if request.struck("stale_page"):
            m = self.state.before.get(m.seq, m)
        shown = member(self.state, m, tree(request.query.get("fields", "")))
        return Reply(without(shown, tree(request.query.get("exclude_fields", ""))), status, read=1 - wrote, wrote=wrote)

    def _one(self, request: Request) -> Member:
        found = self.state.find(request.params["ref"])
        if found is None:
            raise Refused(self.fail("not_found", request))
        return found

    # ---- writes

    def checked(self, request: Request) -> Request:
        self._body(request)
        return request

    def _body(self, request: Request) -> dict:
        """The body as an object. Raises msgspec.MsgspecError."""
        return msgspec.json.decode(request.raw or b"{}", type=dict)

    def _required(self, request: Request, *names: str) -> dict:
        body = self._body(request)
        for name in names:
            if not body.get(name):
                raise Refused(self.invalid(request, name, "This value should not be blank."))
        for name in ("status", "status_if_new"):
            if body.get(name) and body[name] not in WRITABLE:
                raise Refused(self.invalid(request, name, "Data presented is not one of the accepted values."))
        return body

    def add(self, request: Request) -> Reply:
        body = self._required(request, "email_address", "status")
        return self._member(request, self.state.add(body, body["status"]), wrote=1)

    def put(self, request: Request) -> Reply:
        body = self._required(request, "email_address", "status_if_new")
        old = self.state.find(request.params["ref"])
        if old is None:
            return self._member(request, self.state.add(body, body.get("status") or body["status_if_new"]), wrote=1)
        self.state.check_address(old.email if old.email == body["email_address"] else body["email_address"])
        status = body.get("status") or (body["status_if_new"] if old.status == "archived" else None)
        return self._member(request, self.state.change(old, body, status), wrote=1)

    def patch(self, request: Request) -> Reply:
        old, body = self._one(request), self._required(request)
        return self._member(request, self.state.change(old, body, body.get("status")), wrote=1)

    def archive(self, request: Request) -> Reply:
        self.state.archive(self._one(request))
        return Reply(status=204, wrote=1)

    def tag(self, request: Request) -> Reply:
        old, tags = self._one(request), dict.fromkeys(self._one(request).tags)
        for order in self._body(request).get("tags") or []:
            if order.get("status") not in ("active", "inactive") or not order.get("name"):
                return self.invalid(request, "tags", "Each tag needs a name and a status of active or inactive.")
            tags.pop(order["name"], None) if order["status"] == "inactive" else tags.setdefault(order["name"])
        self.state.tag(old, tags)
        return Reply(status=204, wrote=1)

    def purge(self, request: Request) -> Reply:
        self.state.purge(self._one(request))
        return Reply(status=204, wrote=1)

    # ---- query values

    def _number(self, request: Request, name: str, default: int, most: int | None = None) -> int:
        text = request.query.get(name, str(default))
        if not text.isdigit() or (most is not None and int(text) > most):
            raise Refused(self.invalid(request, name, f"Value must be a whole number of at most {most}."))
        return int(text)

    def _one_of(self, request: Request, name: str, allowed: tuple[str, ...]) -> str:
        text = request.query.get(name, "")
        if text not in allowed:
            raise Refused(self.invalid(request, name, f"Value must be one of: {', '.join(filter(None, allowed))}"))
        return text

    def _instant(self, request: Request, name: str) -> int | None:
        try:
            return seconds(request.query[name].replace(" ", "+")) if request.query.get(name) else None
        except ValueError:
            raise Refused(self.invalid(request, name, "Please enter a date in ISO 8601 format.")) from None

    # ---- control

    def records(self) -> list[dict]:
        return mailchimp_people.records(self.state)

    def effects(self, since: int) -> list[dict]:
        return mailchimp_people.effects(self.state, since)

    def edit(self, order: dict) -> dict:
        return mailchimp_people.edit(self.state, order)

    def reset(self) -> None:
        self.faults.reset()
        self.clock.reset(tick_ms=0)
        self.state.reset()


def _password(secret: str) -> str:
    try:
        return b64decode(secret).decode().partition(":")[2]
    except ValueError:
        return ""
