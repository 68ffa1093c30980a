"""The marketing twin's members and every way they change. Knows nothing of HTTP; the clock is handed in."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

from msgspec.structs import replace

from .clock import Clock
from .mailchimp_fields import audience_fields, clean, genuine, hash_of
from .mailchimp_members import STATUSES, WRITABLE, Member, Ordered, Page, Refusal, seconds


class Audience:
    """Members of one audience. Every change goes through `_commit`."""

    def __init__(self, clock: Clock, list_id: str) -> None:
        self.clock, self.list_id = clock, list_id
        self.reset()

    def reset(self) -> None:
        self.table = audience_fields()
        self.tag_ids: dict[str, int] = {}
        self.next_seq = 1
        self.log: list[tuple] = []
        self.backup: tuple | None = None
        self._restore({}, {}, {})

    def _restore(self, members: dict, purged: dict, forgotten: dict) -> None:
        self.members: dict[int, Member] = members
        self.purged: dict[int, Member] = purged
        self.forgotten: dict[str, str] = forgotten  # hash: address
        self.before: dict[int, Member] = {}
        self.by_hash = {hash_of(m.email): m.seq for m in members.values()}
        self.by_contact = {m.contact_id: m.seq for m in members.values()}
        self.groups = {status: Ordered(m for m in members.values() if m.status == status) for status in STATUSES}
        self.groups[""] = Ordered(m for m in members.values() if m.status != "archived")

    def load(self, members: list[Member]) -> None:
        """Seed with finished members, whose `seq` is given here; no effects."""
        placed = {self.next_seq + i: replace(m, seq=self.next_seq + i) for i, m in enumerate(members)}
        self.next_seq += len(placed)
        for tag in sorted({t for m in members for t in m.tags}):
            self.tag_id(tag)
        self._restore({**self.members, **placed}, self.purged, self.forgotten)

    def tag_id(self, name: str) -> int:
        return self.tag_ids.setdefault(name, 5001 + len(self.tag_ids))

    def find(self, ref: str) -> Member | None:
        """By hash, address or contact id."""
        seq = self.by_hash.get(hash_of(ref) if "@" in ref else ref.lower(), self.by_contact.get(ref))
        return self.members.get(seq)

    def by_email(self, email: str) -> Member | None:
        return self.members.get(self.by_hash.get(hash_of(email)))

    # ---- the API's acts. Raise Refusal or BadField.

    def check_address(self, email: str) -> str:
        """The address trimmed. Raises Refusal when it is no address, looks fake or was deleted for good."""
        email = email.strip()
        if not genuine(email):
            text = f"{email} looks fake or invalid, please enter a real email address."
            raise Refusal("Invalid Resource", text, errors=[{"field": "email_address", "message": text}])
        if hash_of(email) in self.forgotten:
            text = f"{email} was permanently deleted and cannot be re-imported. The contact must re-subscribe to get back on the list."
            raise Refusal("Forgotten Email Not Subscribed", text)
        return email

    def add(self, body: dict, status: str, actor: str = "api") -> Member:
        """A new member, or an archived one revived with its old fields and tags."""
        email = self.check_address(str(body["email_address"]))
        old = self.by_email(email)
        if old is not None and old.status != "archived":
            raise Refusal("Member Exists", f"{email} is already a list member. Use PUT to insert or update list members.")
        if old is not None:
            return self.change(old, body, status, actor)
        now_s = self.clock.stamp_ms() // 1000
        blank = Member(0, email, status, {}, signup_s=now_s, changed_s=now_s, opt_s=now_s if status == "subscribed" else 0)
        made = replace(blank, **self._changes(blank, body), tags=tuple(dict.fromkeys(body.get("tags") or ())))
        made = replace(made, seq=self.next_seq)
        self.next_seq += 1
        return self._commit(None, made, actor, "create")

    def change(self, old: Member, body: dict, asked: str | None = None, actor: str = "api", op: str = "update", **more: object) -> Member:
        """Write what differs, judging the status `asked` for; `more` is set unjudged. `last_changed` moves only when something does."""
        changes = {**self._changes(old, body), **more}
        if asked and asked != old.status:
            changes |= self._status(old, asked, actor)
        if (email := body.get("email_address")) and hash_of(str(email)) != hash_of(old.email):
            changes["email"] = self._new_address(old, str(email))
        new = replace(old, **changes)
        if new == old:
            return old
        return self._commit(old, replace(new, changed_s=self.clock.stamp_ms() // 1000), actor, op)

    def _new_address(self, old: Member, email: str) -> str:
        email = self.check_address(email)
        if self.by_email(email) is not None:
            raise Refusal("Member Exists", f"{email} is already a list member.")
        return email

    def _status(self, old: Member, status: str, actor: str) -> dict:
        if status not in STATUSES:
            raise Refusal("Invalid Resource", "The resource submitted could not be validated.", errors=[
                {"field": "status", "message": f"Value must be one of: {', '.join(WRITABLE)}"}])  # fmt: skip
        if actor == "api" and old.in_compliance and status not in ("pending", "archived", old.base):
            text = (
                f"{old.email} is already in a compliance state due to unsubscribe, bounce, or compliance review and cannot be subscribed."
            )
            raise Refusal("Member In Compliance State", text)
        held = status == "archived" or (status == "pending" and old.in_compliance)
        return {"status": status, "by_person": old.by_person and (held or status == old.base), "was": old.base if held else ""}

    def _changes(self, old: Member, body: dict) -> dict:
        fields = {**old.fields, **clean(self.table, body.get("merge_fields") or {})}
        out: dict = {"fields": {k: v for k, v in fields.items() if v != ""}}
        out |= {name: body[name] for name in ("language", "vip", "email_type", "ip_signup", "ip_opt") if name in body}
        for name, key in (("timestamp_signup", "signup_s"), ("timestamp_opt", "opt_s")):
            if body.get(name):
                out[key] = seconds(str(body[name]))
        return out

    def archive(self, member: Member, actor: str = "api") -> None:
        if member.status in ("cleaned", "pending"):
            raise Refusal("Method Not Allowed", "This list member cannot be removed. Please contact support.", 405)
        self.change(member, {}, "archived", actor, "archive")

    def purge(self, member: Member, actor: str = "api") -> None:
        """Delete for good: the address can never be imported again."""
        self._commit(member, None, actor, "purge")
        self.purged[member.seq] = member
        self.forgotten[hash_of(member.email)] = member.email

    def tag(self, member: Member, tags: Iterable[str], actor: str = "api") -> Member:
        return self.change(member, {}, None, actor, "tag", tags=tuple(dict.fromkeys(tags)))

    def unsubscribe(self, member: Member) -> Member:
        """By the person's own hand."""
        return self.change(member, {}, None, "human", "unsubscribe", status="unsubscribed", by_person=True, was="")

    def resubscribe(self, email: str, at_ip: str = "203.0.113.9") -> Member:
        """By the person, through a sign-up form: even a forgotten address may come back this way."""
        self.forgotten.pop(hash_of(email), None)
        now_s = self.clock.now_ms() // 1000
        proof = {"status": "subscribed", "by_person": False, "was": "", "opt_s": now_s, "ip_opt": at_ip, "source": "Hosted Signup Form"}
        member = self.by_email(email) or self.add({"email_address": email}, "subscribed", "human")
        return self.change(member, {}, None, "human", "resubscribe", **proof)

    def page(self, status: str, since_s: int | None, before_s: int | None, by_change: bool, down: bool) -> Page:
        """A window on one status ("" for all but archived), changed after `since_s` and before `before_s`, both exclusive."""
        group = self.groups[status]
        low = bisect_right(group.by_change, (since_s, 2**62)) if since_s is not None else 0
        high = bisect_left(group.by_change, (before_s, 0)) if before_s is not None else len(group.by_change)
        if not by_change and since_s is None and before_s is None:
            return Page(group.by_seq, 0, len(group.by_seq), down)
        if by_change:
            return Page(group.by_change, low, max(low, high), down)
        chosen = sorted(seq for _, seq in group.by_change[low:high])
        return Page(chosen, 0, len(chosen), down)

    def save_backup(self) -> None:
        self.backup = (dict(self.members), dict(self.purged), dict(self.forgotten))

    def restore_backup(self) -> None:
        """Everything goes back as it was. Raises ValueError without a backup."""
        if self.backup is None:
            raise ValueError("no backup was made")
        self._restore(*(dict(part) for part in self.backup))
        self.log.append((self.clock.stamp_ms(), "human", "restore_backup", 0, None, None))

    def _commit(self, old: Member | None, new: Member | None, actor: str, op: str) -> Member:
        member = new or old
        if old:
            self.before[old.seq] = old
            self._unlist(old)
        if new:
            self._list(new)
        self.log.append((self.clock.now_ms(), actor, op, member.seq, old, new))
        return member

    def _unlist(self, old: Member) -> None:
        del self.members[old.seq], self.by_hash[hash_of(old.email)], self.by_contact[old.contact_id]
        for group in self._groups(old):
            group.drop(old)

    def _list(self, new: Member) -> None:
        self.members[new.seq] = new
        self.by_hash[hash_of(new.email)] = self.by_contact[new.contact_id] = new.seq
        for tag in new.tags:
            self.tag_id(tag)
        for group in self._groups(new):
            group.add(new)

    def _groups(self, member: Member) -> list[Ordered]:
        return [self.groups[member.status]] + ([self.groups[""]] if member.status != "archived" else [])
