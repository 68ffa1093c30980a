"""The CRM twin's records and every way they change. Knows nothing of HTTP; the clock and the faults are handed in."""

from bisect import bisect_left, bisect_right, insort
from collections import deque

from msgspec.structs import replace

from .clock import Clock
from .faults import Faults
from .hubspot_properties import STAGES, Invalid, Property, Refusals, clean, contact_properties, iso
from .hubspot_search import Contact, SearchIndex

OWNERS = [("71001", "aoife.byrne@people.example", "Aoife", "Byrne"), ("71002", "sam.okafor@people.example", "Sam", "Okafor"),
          ("71003", "ines.moreau@people.example", "Inès", "Moreau")]  # fmt: skip


class Taken(Exception):
    """The address belongs to another contact."""

    def __init__(self, id: int) -> None:
        super().__init__(str(id))
        self.id = id


def addresses(props: dict[str, str]) -> list[str]:
    return [e for e in [props.get("email", ""), *props.get("hs_additional_emails", "").split(";")] if e]


class Crm:
    """Contacts by id. Every change goes through `_commit`, which keeps the indexes, the effects and the lagging search right."""

    def __init__(self, clock: Clock, faults: Faults) -> None:
        self.clock, self.faults = clock, faults
        self.reset()

    def reset(self) -> None:
        self.table = contact_properties()
        self.owners = [{"id": i, "email": e, "firstName": f, "lastName": n, "archived": False} for i, e, f, n in OWNERS]
        self.table["hubspot_owner_id"].options = [o["id"] for o in self.owners]
        self.next_id = 9_951  # ids soon differ in length, as real ones do
        self.log: list[tuple] = []
        self.backup: tuple | None = None
        self._restore({}, {}, {}, set())

    def _restore(self, live: dict, archived: dict, gone: dict, optouts: set) -> None:
        self.live: dict[int, Contact] = live
        self.archived: dict[int, Contact] = archived
        self.gone: dict[int, tuple[str, Contact, int | None]] = gone  # id: (merged | deleted, last version, survivor)
        self.optouts: set[str] = optouts
        self.before: dict[int, Contact] = {}  # the version before the latest write, for stale pages
        self.ids, self.archived_ids = sorted(live), sorted(archived)
        self.emails = {e: c.id for c in live.values() for e in addresses(c.props)}
        self.keys = {k: c.id for c in live.values() if (k := c.props.get("syncline_key"))}
        self.recalcs: deque[tuple[int, int]] = deque()  # (due_ms, id)
        self.index = SearchIndex()
        self.index.load(list(live.values()))

    def load(self, rows: list[tuple[dict, int, int]], optouts: set[str]) -> None:
        """Seed with (clean properties, created_ms, modified_ms); no effects, no lag."""
        live = dict(self.live)
        for props, created_ms, modified_ms in rows:
            contact = self._stamped(self.next_id, props, created_ms, modified_ms)
            live[self.next_id] = contact
            self.next_id += 1
        self._restore(live, self.archived, self.gone, self.optouts | optouts)

    def cleaned(self, fields: dict) -> dict[str, str]:
        """Values as stored. Raises Refusals naming every unknown property and refused value."""
        out, problems = {}, []
        for name, raw in fields.items():
            try:
                out[name] = clean(self._property(name), raw)
            except Invalid as problem:
                problems.append(problem)
        if problems:
            raise Refusals(problems)
        return out

    def _property(self, name: str) -> Property:
        if name not in self.table:
            raise Invalid(name, f'Property "{name}" does not exist', "PROPERTY_DOESNT_EXIST")
        return self.table[name]

    def check_unique(self, fields: dict[str, str], id: int | None) -> None:
        """Raises Taken or Refusals when another contact has the address or the unique value."""
        if (owner := self.emails.get(fields.get("email", ""), id)) != id:
            raise Taken(owner)
        if (owner := self.keys.get(fields.get("syncline_key", ""), id)) != id:
            text = f"Cannot set syncline_key on {id}. {owner} already has that value."
            raise Refusals([Invalid("syncline_key", text, "CONFLICTING_UNIQUE_VALUE")])

    def create(self, fields: dict[str, str], actor: str = "api") -> Contact:
        now = self.clock.stamp_ms()
        fields = {k: v for k, v in fields.items() if v != ""}
        if fields.get("email") in self.optouts:
            fields["hs_email_optout"] = "true"
        id, self.next_id = self.next_id, self.next_id + 1
        if self.faults.recalc_s:
            self.recalcs.append((now + round(self.faults.recalc_s * 1000), id))
        return self._commit(None, self._stamped(id, fields, now, now), actor, "create")

    def recalculate(self) -> None:
        """The vendor's own late pass over new contacts: the stamp moves, nothing else does."""
        while self.recalcs and self.recalcs[0][0] <= self.clock.now_ms():
            due_ms, id = self.recalcs.popleft()
            if (old := self.live.get(id)) and old.modified_ms < due_ms:
                self._commit(old, self._stamped(id, old.props, old.created_ms, due_ms), "vendor", "recalculate")

    def update(self, contact: Contact, fields: dict[str, str], actor: str = "api", op: str = "update") -> Contact:
        """Write what differs; nothing moves when nothing does. The API cannot move a stage back unless it was cleared first."""
        old = contact.props
        changed = {k: v for k, v in fields.items() if (old.get(k) or "") != v}
        if actor == "api" and _goes_back(old.get("lifecyclestage"), changed.get("lifecyclestage")):
            del changed["lifecyclestage"]
        if not changed:
            return contact
        return self._commit(contact, self._stamped(contact.id, {**old, **changed}, contact.created_ms, self.clock.stamp_ms()), actor, op)

    def archive(self, contact: Contact, actor: str = "api") -> None:
        now = self.clock.stamp_ms()
        self._commit(contact, None, actor, "archive")
        self.archived[contact.id] = replace(contact, archived_ms=now)
        insort(self.archived_ids, contact.id)

    def unarchive(self, id: int, actor: str = "human") -> Contact:
        contact = self.archived[id]
        self.check_unique(contact.props, None)
        self._forget_archived(id)
        stamped = self._stamped(id, contact.props, contact.created_ms, self.clock.stamp_ms())
        return self._commit(None, stamped, actor, "restore")

    def purge(self, id: int, actor: str = "human") -> None:
        """Delete for good, whether live or archived."""
        contact = self.live.get(id) or self.archived[id]
        if id in self.live:
            self._commit(contact, None, actor, "purge")
        else:
            self._forget_archived(id)
            self.log.append((self.clock.stamp_ms(), actor, "purge", id, contact.props, None))
        self.gone[id] = ("deleted", contact, None)

    def merge(self, winner: Contact, loser: Contact, actor: str = "api") -> Contact:
        """A new record takes both places; the winner's values stay, the loser's fill its blanks, and its address moves over."""
        emails = list(dict.fromkeys(addresses(winner.props) + addresses(loser.props)))
        past = [p for c in (winner, loser) for p in [*c.props.get("hs_merged_object_ids", "").split(";"), str(c.id)] if p]
        props = {**loser.props, **{k: v for k, v in winner.props.items() if v}, "hs_merged_object_ids": ";".join(past)}
        if len(emails) > 1:
            props |= {"email": emails[0], "hs_additional_emails": ";".join(emails[1:])}
        if "true" in (winner.props.get("hs_email_optout"), loser.props.get("hs_email_optout")):
            props["hs_email_optout"] = "true"
        id, self.next_id = self.next_id, self.next_id + 1
        for old in (winner, loser):
            self._commit(old, None, actor, "merge")
            self.gone[old.id] = ("merged", old, id)
        created_ms = min(winner.created_ms, loser.created_ms)
        return self._commit(None, self._stamped(id, props, created_ms, self.clock.stamp_ms()), actor, "merge")

    def set_optout(self, email: str, out: bool, actor: str) -> Contact | None:
        """The address opts out of (or back in to) all email; its contact, if any, shows it."""
        (self.optouts.add if out else self.optouts.discard)(email)
        contact = self.live.get(self.emails.get(email, -1))
        op = "unsubscribe" if out else "resubscribe"
        return self.update(contact, {"hs_email_optout": str(out).lower()}, actor, op) if contact else None

    def page(self, after: int, limit: int, archived: bool) -> tuple[list[Contact], int | None]:
        """Contacts with an id above `after`, and the id to go on from."""
        ids, rows = (self.archived_ids, self.archived) if archived else (self.ids, self.live)
        start = bisect_right(ids, after)
        chosen = ids[start : start + limit]
        return [rows[i] for i in chosen], chosen[-1] if start + limit < len(ids) else None

    def save_backup(self) -> None:
        self.backup = (dict(self.live), dict(self.archived), dict(self.gone), set(self.optouts))

    def restore_backup(self) -> None:
        """Values, stamps and ids go back; what was made since is unknown to everyone. Raises ValueError without a backup."""
        if self.backup is None:
            raise ValueError("no backup was made")
        live, archived, gone, optouts = self.backup
        self._restore(dict(live), dict(archived), dict(gone), set(optouts))
        self.log.append((self.clock.stamp_ms(), "human", "restore_backup", 0, None, None))

    def _stamped(self, id: int, props: dict[str, str], created_ms: int, modified_ms: int) -> Contact:
        own = {"createdate": iso(created_ms), "lastmodifieddate": iso(modified_ms), "hs_object_id": str(id)}
        return Contact(id, {**props, **own}, created_ms, modified_ms)

    def _forget_archived(self, id: int) -> None:
        del self.archived[id]
        del self.archived_ids[bisect_left(self.archived_ids, id)]

    def _commit(self, old: Contact | None, new: Contact | None, actor: str, op: str) -> Contact:
        contact = new or old
        if old:
            self.before[old.id] = old
            self._drop_keys(old)
        if new is None:
            del self.live[contact.id]
            del self.ids[bisect_left(self.ids, contact.id)]
        else:
            self.live[new.id] = new
            if old is None:
                insort(self.ids, new.id)
            self.emails.update((e, new.id) for e in addresses(new.props))
            if key := new.props.get("syncline_key"):
                self.keys[key] = new.id
        now = self.clock.now_ms()
        self.index.touch(contact.id, new, now, self.faults.lag_s * 1000)
        self.log.append((now, actor, op, contact.id, old and old.props, new and new.props))
        return contact

    def _drop_keys(self, contact: Contact) -> None:
        for email in addresses(contact.props):
            self.emails.pop(email, None)
        self.keys.pop(contact.props.get("syncline_key", ""), None)


def _goes_back(old: str | None, new: str | None) -> bool:
    return bool(old and new) and old in STAGES and new in STAGES and STAGES.index(new) < STAGES.index(old)
