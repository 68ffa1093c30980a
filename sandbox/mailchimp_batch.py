"""The marketing twin's batch write, `POST /lists/{id}`: each member succeeds or fails on its own, always inside a 200."""

import msgspec

from .mailchimp_fields import BadField
from .mailchimp_members import WRITABLE, Member, Refusal
from .mailchimp_shapes import member, tree
from .mailchimp_state import Audience
from .wire import Reply, Request

MOST_MEMBERS = 500


class Batches:
    def __init__(self, audience: Audience) -> None:
        self.audience = audience

    def write(self, request: Request) -> Reply:
        body = msgspec.json.decode(request.raw, type=dict)
        orders = body.get("members")
        if not isinstance(orders, list) or len(orders) > MOST_MEMBERS:
            text = f"Cannot process more than {MOST_MEMBERS} members."
            raise Refusal("Invalid Resource", text, errors=[{"field": "members", "message": text}])
        made, changed, errors = [], [], []
        seen: set[str] = set()
        for position, order in enumerate(orders):
            try:
                if position in request.spoiled():
                    raise Refusal("Generic", "An unknown error occurred processing your request.")
                is_new, result = self._one(order, body, seen)
                (made if is_new else changed).append(result)
            except (Refusal, BadField) as no:
                errors.append(self._error(order, no))
        return self._answer(request, made, changed, errors)

    def _one(self, order: dict, body: dict, seen: set[str]) -> tuple[bool, Member]:
        email = self.audience.check_address(str(order.get("email_address") or ""))
        if email.lower() in seen:
            raise Refusal("Generic", f"Duplicate items found for email_address: {email}.")
        seen.add(email.lower())
        old, status = self.audience.by_email(email), order.get("status")
        if status is not None and status not in WRITABLE:
            raise Refusal("Generic", f"The item's status must be one of: {', '.join(WRITABLE)}.")
        if old is None or (old.status == "archived" and not body.get("update_existing")):
            if not status:
                raise Refusal("Generic", "The item's status must be one of: " + ", ".join(WRITABLE) + ".")
            return True, self.audience.add(order, status)
        if not body.get("update_existing"):
            raise Refusal("Member Exists", f"{email} is already a list member, do not use this to update existing members.")
        return False, self._update(old, order, status, bool(body.get("sync_tags")))

    def _update(self, old: Member, order: dict, status: str | None, sync_tags: bool) -> Member:
        tags = order.get("tags")
        if tags is None:
            return self.audience.change(old, order, status)
        kept = tuple(dict.fromkeys(tags if sync_tags else [*old.tags, *tags]))
        return self.audience.change(old, order, status, tags=kept)

    def _error(self, order: dict, no: Refusal | BadField) -> dict:
        field, message = (no.field, no.message) if isinstance(no, BadField) else ("", "")
        exists = isinstance(no, Refusal) and no.title == "Member Exists"
        return {
            "email_address": order.get("email_address", ""), "error": message or str(no),
            "error_code": "ERROR_CONTACT_EXISTS" if exists else "ERROR_GENERIC", "field": field, "field_message": message,
        }  # fmt: skip

    def _answer(self, request: Request, made: list[Member], changed: list[Member], errors: list[dict]) -> Reply:
        keep = tree(request.query.get("fields", ""))
        if request.struck("shuffle"):
            changed.reverse()
        body = {
            "new_members": [member(self.audience, m, keep.get("new_members", {})) for m in made],
            "updated_members": [member(self.audience, m, keep.get("updated_members", {})) for m in changed],
            "errors": errors, "total_created": len(made), "total_updated": len(changed), "error_count": len(errors),
        }  # fmt: skip
        return Reply({k: v for k, v in body.items() if not keep or k in keep}, wrote=len(made) + len(changed))
