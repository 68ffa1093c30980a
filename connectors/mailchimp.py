"""Mailchimp Marketing: the members of one audience. Loaded by `connectors.registry`; nobody else imports it.

A *member* is one address in one audience. Its ref is the `contact_id`, which stays when the address changes; the well-known hash does not.
Archived members are not in the change feed, and asking for them would double every poll: the full listing finds them. A member deleted for
ever looks as if it had never been: only its absence from a whole listing tells. Stamps have whole seconds, and Mailchimp does not say
whether its windows include their ends: the overlap covers both readings.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

from connectors.http import Door, ErrorTable, Purpose, Reply
from connectors.mailchimp_push import MEMBER, Writer
from connectors.mailchimp_shapes import FIXED, LISTED, TYPES, address_hash, iso, ref_of, refusal, shape, shown, to_field, to_record
from connectors.typed import Unread, named
from syncline.cursor import Cursor, finished, since_us, within
from syncline.errors import RateLimited, SyncError, Unreachable, UsageError
from syncline.ports import Capabilities, Change, Health, Page, Receipt, Schema, Settings
from syncline.records import Record

PAGE = 1000
STEP_BACK = 10
"""How many rows of the page before are read again, so that its last row can be found: proof that no row slipped past between the two."""

WORKERS = 8  # of the 10 connections Mailchimp allows one key
SECOND_US = 1_000_000


class Mailchimp:
    """Mailchimp audience members. Option `audience`: the audience's id. `base_url` with or without its `/3.0`."""

    name = "mailchimp"
    title = "Mailchimp Marketing"
    secrets = ("api_key",)
    objects = ("members",)
    anchors = ("email_address",)
    capabilities = Capabilities(
        incremental="modified_since",
        overlap_s=300,
        evidence="record",
        versions=False,
        deletes="by_absence",
        merges="none",
        create_key="email_address",
        batch_read=1000,
        batch_write=500,
        recheck="delta_poll",
        can_restore=True,
    )

    def __init__(self, settings: Settings) -> None:
        key = settings.secrets.get("api_key", "")
        basic = base64.b64encode(f"syncline:{key}".encode()).decode()
        self._audience = str(settings.options.get("audience") or "")
        self._door = Door(
            self.title,
            _base_url(settings.base_url, key),
            headers={"Authorization": f"Basic {basic}"},
            secrets=(key, basic),
            timeout_s=settings.timeout_s,
            max_connections=WORKERS,
            budget=settings.call_budget,
            errors=ERRORS,
        )

    @property
    def clock_offset_us(self) -> int:
        return self._door.clock_offset_us

    @property
    def calls(self) -> Mapping[str, int]:
        """Calls sent so far, by purpose."""
        return self._door.calls

    def check(self) -> Health:
        account = self._door.call("GET", "/", query={"fields": "account_name"}).data["account_name"]
        return Health(account=f"{account}, audience {self._audience_name}")

    def describe(self, object: str) -> Schema:
        self._known(object)
        merges = [to_field(merge) for merge in self._merge_fields() if merge["type"] in TYPES]
        return Schema(object, {info.name: info for info in (*FIXED, *merges)})

    def pull(self, object: str, fields: tuple[str, ...], cursor: Cursor | None) -> Iterator[Page]:
        self._known(object)
        if cursor is None or cursor.token:
            return self._listing(fields, cursor)
        return self._changes(fields, cursor, since_us(cursor, self.capabilities.overlap_s))

    def read(self, object: str, fields: tuple[str, ...], refs: Sequence[str]) -> Iterator[Record]:
        """One call for each ref, eight at a time: Mailchimp has no batch read."""
        self._known(object)
        return self._door.spread(partial(self._record, fields), refs)

    def find(self, object: str, fields: tuple[str, ...], field: str, values: Sequence[str]) -> Iterator[Record]:
        """One call for each address, eight at a time."""
        self._known(object)
        if field != "email_address":
            raise UsageError(f"{self.title} finds members by email_address, not by {field}")
        found = self._door.spread(partial(self._member, fields), map(address_hash, values))
        return (to_record(member, fields) for member in found if member and member["status"] != "archived")

    def push(self, object: str, fields: tuple[str, ...], changes: Iterable[Change]) -> Iterator[Receipt]:
        self._known(object)
        return Writer(self._door, self._chosen, fields, partial(self._member, fields, purpose="recheck")).push(changes)

    def close(self) -> None:
        self._door.close()

    def _changes(self, fields: tuple[str, ...], cursor: Cursor, start_us: int) -> Iterator[Page]:
        """Live members changed since `start_us`, oldest change first.

        A row edited meanwhile leaves its place and moves all later rows up. So each page steps back a few rows and must find the last row
        of the page before; if it does not, the listing starts again at that row's stamp. The first answer tells the vendor's time; from
        then on the window ends there, so that it only gets smaller.
        """
        offset, last, began_us, window = 0, None, 0, {"sort_field": "last_changed"}
        while True:
            reply = self._page(fields, offset, shape(fields).page, since_last_changed=iso(start_us), **window)
            records, total = _records(reply, fields), reply.data.total_items
            if not began_us:
                began_us, window["before_last_changed"] = reply.asked_us, iso(reply.asked_us)
            if last and last.ref not in {record.ref for record in records}:
                start_us, offset, last = max(start_us, (last.modified_us or 0) - SECOND_US), 0, None
                continue
            if offset + len(records) >= total or len(records) <= STEP_BACK:
                yield Page(records, finished(cursor, began_us))
                return
            last = records[-1]
            cursor = within(cursor, last.modified_us or 0, last.ref)
            offset += len(records) - STEP_BACK
            yield Page(records, cursor)

    def _listing(self, fields: tuple[str, ...], cursor: Cursor | None) -> Iterator[Page]:
        """Everyone: all but the archived, the archived, then what changed meanwhile, so that who was brought back is not taken for absent.

        Ordered by sign-up time, which no edit moves. Complete only if no page lost its place and each part's count was met.
        """
        place = _Place.read(cursor.token) if cursor and cursor.token else _Place()
        read = shape(fields).read
        while place.part in ("live", "archived"):
            archived = {"status": "archived"} if place.part == "archived" else {}
            reply = self._page(fields, place.offset, LISTED, sort_field="timestamp_signup", **archived)
            raw = named(reply.data.members, ref_of, self.title)
            place = place.after([ref for ref, _ in raw], reply.data.total_items, reply.asked_us)
            yield Page(Unread(reply.data.members, read, self.title), Cursor(0, token=place.token), raw=raw)
        for page in self._changes(fields, Cursor(0), place.began_us - SECOND_US):
            yield Page(page.records, Cursor(0, token=place.token))
        yield Page((), Cursor(place.began_us), complete=place.whole)

    def _page(self, fields: tuple[str, ...], offset: int, decoder: Any, **narrow: str) -> Reply:
        query = {"fields": f"{shown(fields, 'members.')},total_items", "count": PAGE, "offset": offset, "sort_dir": "ASC", **narrow}
        reply = self._door.call("GET", "/lists/{list}/members", args={"list": self._chosen}, query=query, decoder=decoder)
        missing = reply.data.total_items - offset
        if not reply.data.members and missing > 0:
            raise Unreachable(f"{self.title}: an empty page where {missing} more members were announced")
        return reply

    def _member(self, fields: tuple[str, ...], key: str, purpose: Purpose = "read") -> Mapping[str, Any] | None:
        """The member's body now, by contact_id or address hash; None when there is none."""
        args = {"list": self._chosen, "member": key}
        reply = self._door.call("GET", MEMBER, args=args, query={"fields": shown(fields)}, purpose=purpose, expect=(404,))
        return None if reply.status == 404 else reply.data

    def _record(self, fields: tuple[str, ...], ref: str) -> Record:
        """A missing member and a missing audience answer alike, so the audience is asked for (once) before anybody is called gone."""
        member = self._member(fields, ref)
        if member is None and self._audience_name:
            return Record(ref, {}, liveness="gone")
        return to_record(member or {}, fields)

    def _merge_fields(self) -> Iterator[Mapping[str, Any]]:
        offset, total = 0, 1
        while offset < total:
            query = {"count": PAGE, "offset": offset}
            data = self._door.call("GET", "/lists/{list}/merge-fields", args={"list": self._chosen}, query=query).data
            yield from data["merge_fields"]
            offset, total = offset + PAGE, data["total_items"]

    @cached_property
    def _audience_name(self) -> str:
        reply = self._door.call("GET", "/lists/{list}", args={"list": self._chosen}, query={"fields": "id,name"})
        return str(reply.data["name"])

    @property
    def _chosen(self) -> str:
        """The audience's id. Raises UsageError that names those there are when none was chosen."""
        if not self._audience:
            lists = self._door.call("GET", "/lists", query={"fields": "lists.id,lists.name", "count": PAGE}).data["lists"]
            there = ", ".join(f"{each['id']} ({each['name']})" for each in lists) or "none yet"
            raise UsageError(f"{self.title} needs the option `audience`; this account has: {there}")
        return self._audience

    def _known(self, object: str) -> None:
        if object not in self.objects:
            raise UsageError(f"{self.title} has no object {object!r}; it has: {', '.join(self.objects)}")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a full listing stands. `last` is the ref its next page must show again; `whole` is False once a page did not."""

    part: str = "live"
    offset: int = 0
    began_us: int = 0
    whole: bool = True
    last: str = ""

    @staticmethod
    def read(token: str) -> _Place:
        part, offset, began_us, whole, last = token.split(":")
        return _Place(part, int(offset), int(began_us), whole == "1", last)

    @property
    def token(self) -> str:
        return f"{self.part}:{self.offset}:{self.began_us}:{int(self.whole)}:{self.last}"

    def after(self, refs: Sequence[str], total: int, asked_us: int) -> _Place:
        """The place after a page of this part, whose rows are `total` in all."""
        joined = not self.last or self.last in refs
        here = replace(self, began_us=self.began_us or asked_us, whole=self.whole and joined)
        seen = self.offset + len(refs)
        if seen < total and len(refs) > STEP_BACK:
            return replace(here, offset=seen - STEP_BACK, last=refs[-1])
        following = "archived" if self.part == "live" else "changed"
        return replace(here, part=following, offset=0, whole=here.whole and seen == total, last="")


def _records(reply: Reply, fields: tuple[str, ...]) -> list[Record]:
    return list(map(shape(fields).record, reply.data.members))


def _base_url(given: str | None, key: str) -> str:
    """The vendor's own host stands in the key: `<secret>-<data centre>`."""
    if given:
        return given.rstrip("/").removesuffix("/3.0") + "/3.0"
    centre = key.rpartition("-")[2] if "-" in key else ""
    if not centre.isalnum():
        raise UsageError("the Mailchimp API key must end in its data centre, such as -us21: copy the whole key, or set the base URL")
    return f"https://{centre}.api.mailchimp.com/3.0"


def _refused(reply: Reply, where: str) -> SyncError:
    problem = reply.data if isinstance(reply.data, dict) else {}
    errors = problem.get("errors") or [{}]
    text = " ".join(str(part) for part in (problem.get("title"), problem.get("detail"), errors[0].get("message")) if part)
    return refusal(text, errors[0].get("field"))


def _forbidden(reply: Reply, where: str) -> SyncError | None:
    """A 403 that is no JSON comes from Mailchimp's outer wall, when there were far too many calls."""
    return None if reply.data else RateLimited(f"{where}: shut out for too many calls (403)")


def _absent(reply: Reply, where: str) -> SyncError | None:
    return UsageError(f"{where}: no such audience; see the option `audience`") if "{list}" in where and "{member}" not in where else None


ERRORS: ErrorTable = {400: _refused, 403: _forbidden, 404: _absent}
