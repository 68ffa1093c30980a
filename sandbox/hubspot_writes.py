"""The CRM twin's writes: single, batch, merge and communication preferences.

A batch is prepared in full before anything is written. Without the `item_errors` switch one refused value or taken address fails
the whole call, as the vendor does; ids that do not exist only ever cost their own item (207).
"""

import random
from collections.abc import Callable

import msgspec

from .hubspot_api import CONTACTS, READ, SYSTEM_PROPERTIES, WRITE, Api, request_json
from .hubspot_properties import EMAIL, Invalid, Refusals, iso
from .hubspot_search import Contact
from .hubspot_state import Taken
from .wire import Refused, Reply, Request, Route

MOST_INPUTS = 100
PREFERENCES = "/communication-preferences/v4/statuses/batch"
CONSENT = "communication_preferences.read_write"


class Problem(Exception):
    """Why one input of a batch cannot be done. `whole`: the vendor fails the call with it."""

    def __init__(self, status: int, category: str, message: str, context: dict, errors: list[dict] | None = None) -> None:
        super().__init__(message)
        self.status, self.category, self.message, self.context, self.errors = status, category, message, context, errors or []
        self.whole = category in ("VALIDATION_ERROR", "CONFLICT")


Step = Callable[[], dict]


class Writes:
    def __init__(self, api: Api) -> None:
        self.api, self.crm = api, api.state

    def routes(self) -> list[Route]:
        return [
            Route("POST", CONTACTS, self.create_one, WRITE),
            Route("POST", f"{CONTACTS}/merge", self.merge, WRITE),
            Route("POST", f"{CONTACTS}/batch/read", self.batch_read, READ),
            Route("POST", f"{CONTACTS}/batch/create", lambda r: self.batch(r, self.plan_create, 201), WRITE),
            Route("POST", f"{CONTACTS}/batch/update", lambda r: self.batch(r, self.plan_update, 200), WRITE),
            Route("POST", f"{CONTACTS}/batch/upsert", lambda r: self.batch(r, self.plan_upsert, 200), WRITE),
            Route("POST", f"{CONTACTS}/batch/archive", self.batch_archive, WRITE),
            Route("POST", f"{PREFERENCES}/unsubscribe-all", self.unsubscribe_all, CONSENT),
            Route("POST", f"{PREFERENCES}/read", self.read_statuses, CONSENT),
            Route("PATCH", f"{CONTACTS}/{{id}}", self.update_one, WRITE),
            Route("DELETE", f"{CONTACTS}/{{id}}", self.archive_one, WRITE),
        ]

    # ---- one record

    def create_one(self, request: Request) -> Reply:
        return Reply(self._alone(lambda: self.plan_create(request_json(request), set()))(), 201, wrote=1)

    def update_one(self, request: Request) -> Reply:
        order = {**request_json(request), "id": request.params["id"]}
        return Reply(self._alone(lambda: self.plan_update(order, set()))(), wrote=1)

    def archive_one(self, request: Request) -> Reply:
        if contact := self.api.find(request.params["id"]):
            self.crm.archive(contact)
        return Reply(status=204, wrote=int(contact is not None))

    def merge(self, request: Request) -> Reply:
        body = request_json(request)
        winner, loser = (self.api.find(str(body.get(k, ""))) for k in ("primaryObjectId", "objectIdToMerge"))
        if winner is None or loser is None:
            return self.api.fail("not_found", request)
        if winner.id == loser.id:
            return self.api.error(400, "VALIDATION_ERROR", "A record cannot be merged with itself")
        merged = self.crm.merge(winner, loser)
        return Reply(self.api.row(merged, merged.props), wrote=1)

    def _alone(self, plan: Callable[[], Step]) -> Step:
        try:
            return plan()
        except Problem as p:
            raise Refused(self.api.error(p.status, p.category, p.message, context=p.context, errors=p.errors)) from None

    # ---- plans: check one input and return the step that does it. Raise Problem.

    def plan_create(self, order: dict, taken: set[str]) -> Step:
        fields = self._fields(order, taken, None)
        return lambda: self._echo(self.crm.create(fields), order, None)

    def plan_update(self, order: dict, taken: set[str]) -> Step:
        id = str(order.get("id", ""))
        contact = self.api.find(id)
        if contact is None:
            text = "Could not get some CONTACT objects, they may be deleted or not exist. Check that ids are valid."
            raise Problem(404, "OBJECT_NOT_FOUND", text, _context(order, ids=[id]))
        self._once(f"id {id}", taken, order)
        fields = self._fields(order, taken, contact.id)
        return lambda: self._echo(self.crm.update(self.crm.live[contact.id], fields), order, list(fields))

    def plan_upsert(self, order: dict, taken: set[str]) -> Step:
        key, value = order.get("idProperty"), str(order.get("id", ""))
        if key in (None, "hs_object_id"):
            return self.plan_update(order, taken)
        contact = self.api.find(value, key)
        self._once(f"{key} {value}", taken, order)
        if key == "email" and "email" not in order.get("properties", {}):
            raise Problem(400, "VALIDATION_ERROR", "Partial upserts are not supported when using email as the idProperty", _context(order))
        full = {**order, "properties": {**order.get("properties", {}), **({} if key == "email" else {key: value})}}
        if contact is None:
            fields = self._fields(full, taken, None)
            return lambda: self._echo(self.crm.create(fields), order, None, new=True)
        fields = self._fields(full, taken, contact.id)
        return lambda: self._echo(self.crm.update(self.crm.live[contact.id], fields), order, list(fields), new=False)

    def _fields(self, order: dict, taken: set[str], id: int | None) -> dict[str, str]:
        try:
            fields = self.crm.cleaned(order.get("properties") or {})
            self.crm.check_unique(fields, id)
        except Refusals as refusals:
            raise self._refused(refusals.problems, order) from None
        except Taken as t:
            raise Problem(409, "CONFLICT", f"Contact already exists. Existing ID: {t.id}", _context(order)) from None
        if fields.get("email"):
            self._once(f"address {fields['email']}", taken, order)
        return fields

    def _once(self, what: str, taken: set[str], order: dict) -> None:
        if what in taken:
            raise Problem(400, "VALIDATION_ERROR", f"Duplicate in batch input: {what}", _context(order))
        taken.add(what)

    def _refused(self, problems: list[Invalid], order: dict) -> Problem:
        told = [
            {"isValid": False, "message": p.message, "error": p.code, "name": p.name, "localizedErrorMessage": p.message} for p in problems
        ]
        errors = [{"message": p.message, "code": p.code, "context": {"propertyName": [p.name]}} for p in problems]
        message = f"Property values were not valid: {msgspec.json.encode(told).decode()}"
        return Problem(400, "VALIDATION_ERROR", message, _context(order, propertyName=[p.name for p in problems]), errors)

    def _echo(self, contact: Contact, order: dict, sent: list[str] | None, **more: object) -> dict:
        names = contact.props if sent is None else dict.fromkeys(sent + SYSTEM_PROPERTIES)
        trace = {"objectWriteTraceId": order["objectWriteTraceId"]} if "objectWriteTraceId" in order else {}
        return self.api.row(contact, names, **trace, **more)

    # ---- batches

    def batch(self, request: Request, plan: Callable[[dict, set[str]], Step], done: int) -> Reply:
        steps, problems, taken = [], [], set()
        spoiled = request.spoiled()
        for position, order in enumerate(self._inputs(request)):
            try:
                if position in spoiled:
                    raise Problem(500, "INTERNAL_ERROR", "internal error", _context(order, ids=[str(order.get("id", ""))]))
                steps.append(plan(order, taken))
            except Problem as problem:
                problems.append(problem)
        self._fail_whole([p for p in problems if p.whole], request)
        return self._multi(request, [step() for step in steps], problems, done, wrote=len(steps))

    def _fail_whole(self, problems: list[Problem], request: Request) -> None:
        by_email = any(o.get("idProperty") == "email" for o in self._inputs(request))
        if problems and (by_email or not self.api.faults.item_errors):
            first = problems[0]
            told = [e for p in problems for e in p.errors]
            raise Refused(self.api.error(first.status, first.category, first.message, context=first.context, errors=told))

    def batch_read(self, request: Request) -> Reply:
        body, inputs = request_json(request), self._inputs(request)
        if request.struck("empty"):
            return self._multi(request, [], [], 200)
        archived, key = request.query.get("archived") == "true", body.get("idProperty")
        refs = list(dict.fromkeys(str(i.get("id", "")) for i in inputs))
        found = {ref: contact for ref in refs if (contact := self.api.find(ref, key, archived))}
        lost = [ref for ref in refs if ref not in found]
        text = "Could not get some CONTACT objects, they may be deleted or not exist. Check that ids are valid."
        problems = [Problem(404, "OBJECT_NOT_FOUND", text, {"ids": lost})] if lost else []
        names = list(body.get("properties") or []) + ([key] if key else [])
        unique = {c.id: c for c in found.values()}.values()
        return self._multi(request, self.api.rows(request, unique, names), problems, 200, read=len(found))

    def batch_archive(self, request: Request) -> Reply:
        contacts = [c for i in self._inputs(request) if (c := self.api.find(str(i.get("id", ""))))]
        for contact in {c.id: c for c in contacts}.values():
            self.crm.archive(contact)
        return Reply(status=204, wrote=len(contacts))

    def _inputs(self, request: Request) -> list[dict]:
        inputs = request_json(request).get("inputs")
        if not isinstance(inputs, list) or not 1 <= len(inputs) <= MOST_INPUTS:
            raise Refused(self.api.error(400, "VALIDATION_ERROR", f"inputs must hold 1 to {MOST_INPUTS} items"))
        return inputs

    def _multi(self, request: Request, results: list[dict], problems: list[Problem], done: int, read: int = 0, wrote: int = 0) -> Reply:
        if self.api.faults.shuffle or request.struck("shuffle"):
            random.Random(len(results)).shuffle(results)
        now = iso(self.api.clock.now_ms())
        body = {"status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now}
        if problems:
            body |= {"numErrors": len(problems), "errors": [_told(p) for p in problems]}
        return Reply(body, 207 if problems else done, read=read, wrote=wrote)

    # ---- consent

    def unsubscribe_all(self, request: Request) -> Reply:
        emails = self._addresses(request)
        for email in emails:
            self.crm.set_optout(email, True, "api")
        results = [{"subscriberIdString": e, "channel": "EMAIL", "wideStatusType": "PORTAL_WIDE", "status": "UNSUBSCRIBED"} for e in emails]
        return self._multi(request, results, [], 200, wrote=len(emails))

    def read_statuses(self, request: Request) -> Reply:
        emails = self._addresses(request)
        return self._multi(request, [{"subscriberIdString": e, "statuses": [self._status(e)]} for e in emails], [], 200, read=len(emails))

    def _status(self, email: str) -> dict:
        contact = self.crm.live.get(self.crm.emails.get(email, -1))
        known = contact is not None and contact.props.get("hs_email_optout") == "false"
        status = "UNSUBSCRIBED" if email in self.crm.optouts else "SUBSCRIBED" if known else "NOT_SPECIFIED"
        return {"channel": "EMAIL", "subscriptionId": 1, "subscriptionName": "Marketing Information", "status": status,
                "source": "PUBLIC_API", "subscriberIdString": email}  # fmt: skip

    def _addresses(self, request: Request) -> list[str]:
        if request.query.get("channel") != "EMAIL":
            raise Refused(self.api.error(400, "VALIDATION_ERROR", "query parameter channel must be EMAIL"))
        emails = [str(e).strip().lower() for e in self._inputs(request)]
        if bad := [e for e in emails if not EMAIL.fullmatch(e)]:
            raise Refused(self.api.error(400, "VALIDATION_ERROR", f"Email address {bad[0]} is invalid"))
        return emails


def _context(order: dict, **more: list[str]) -> dict:
    trace = {"objectWriteTraceId": [order["objectWriteTraceId"]]} if "objectWriteTraceId" in order else {}
    return {**trace, **more}


def _told(problem: Problem) -> dict:
    return {
        "status": "error",
        "category": problem.category,
        "message": problem.message,
        "context": problem.context,
        "errors": problem.errors,
    }
