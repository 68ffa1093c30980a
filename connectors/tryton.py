"""Tryton (8.2 and later), a self-hosted CRM: the parties of one database. Loaded by `connectors.registry`; nobody else imports it.

A *party* is a person or a company; its e-mail and phones are rows of their own (see `tryton_shapes`). Tryton keeps no consent: a party that
wants no e-mail is put into the category "Email opt-out" (option `opt_out_category`), shown here as the consent field `email_opt_out`.

What it cannot tell between two full listings: a contact mechanism or a category taken away from a party by itself, and a deleted party. A
merge leaves the loser behind, archived, pointing at its winner.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from connectors.http import Door
from connectors.tryton_names import Directory
from connectors.tryton_push import Writer
from connectors.tryton_rpc import ERRORS, Rpc
from connectors.tryton_shapes import EVEN_ARCHIVED, MECHANISMS, OPT_OUT, TYPES, asked, field_info, record, wire_instant
from syncline.cursor import Cursor, finished, since_us
from syncline.errors import SchemaDrift, UsageError
from syncline.ports import Capabilities, Change, FieldInfo, Health, Page, Receipt, Schema, Settings
from syncline.records import Record

PARTY = "model.party.party."
PAGE = 500
FIND = 50  # the server's database refuses a much longer list of alternatives
NEEDED = ("party.party", "party.contact_mechanism", "party.category", "party.identifier")
OLDEST = (8, 2)  # older series have neither this address nor `last_modified_at`

NEVER = ["active", "in", []]
"""Tryton looks for that word in every OR by itself, and adds "active only" where there is none: this alternative only says the word."""


class Tryton:
    """Tryton parties. Option `database`; `base_url` is the server's address. `email`, `phone` and the like are the first of their type."""

    name = "tryton"
    title = "Tryton"
    secrets = ("user", "password")
    objects = ("parties",)
    anchors: tuple[str, ...] = ()
    capabilities = Capabilities(
        incremental="modified_since",
        overlap_s=300,  # a stamp is the time its transaction began: a long import shows up late
        evidence="record",
        versions=True,
        deletes="by_absence",
        merges="pointer",
        create_key=None,  # no field of a party is unique to a person; a repeated create is recognised by its change's key
        batch_read=PAGE,
        batch_write=100,
        recheck="conditional",
        can_restore=True,
    )

    def __init__(self, settings: Settings) -> None:
        self._database = str(settings.options.get("database") or "")
        if not (settings.base_url and self._database):
            raise UsageError("Tryton needs the base URL of your server and the option `database`")
        self._user, password = settings.secrets.get("user", ""), settings.secrets.get("password", "")
        self._door = Door(
            self.title,
            settings.base_url,
            secrets=(password,),
            timeout_s=settings.timeout_s,
            budget=settings.call_budget,
            errors=ERRORS,
        )
        self._rpc = Rpc(self._door, self._database, self._user, password)
        self._directory = Directory(self._rpc, str(settings.options.get("opt_out_category") or "Email opt-out"))

    @property
    def clock_offset_us(self) -> int:
        return self._door.clock_offset_us

    @property
    def calls(self) -> Mapping[str, int]:
        """Calls sent so far, by purpose."""
        return self._door.calls

    def check(self) -> Health:
        series = self._rpc.version()
        if tuple(int(part) for part in series.split(".")[:2]) < OLDEST:
            raise UsageError(f"Tryton {series} is too old: 8.2 is the oldest series this connector can read")
        access = self._rpc.call("model.ir.model.access.get_access", list(NEEDED))
        scopes = [
            (f"{model} {right}", allowed) for model, rights in access.items() for right, allowed in rights.items() if right != "delete"
        ]
        return Health(
            account=f"{self._user} in {self._database} (Tryton {series})",
            scopes=tuple(scope for scope, allowed in scopes if allowed),
            missing_scopes=tuple(scope for scope, allowed in scopes if not allowed),
        )

    def describe(self, object: str) -> Schema:
        self._known(object)
        described = (field_info(name, native) for name, native in sorted(self._native.items()))
        fields = {info.name: info for info in described if info}
        fields["lang"] = FieldInfo("lang", "choice", "Language", options=tuple(self._directory.names.languages))
        fields["categories"] = FieldInfo("categories", "set", "Categories")
        fields[OPT_OUT] = FieldInfo(OPT_OUT, "boolean", f"In category {self._directory.opt_out_name!r}", consent=True)
        return Schema(object, fields)

    def pull(self, object: str, fields: tuple[str, ...], cursor: Cursor | None) -> Iterator[Page]:
        self._known(object)
        if cursor is None or cursor.token:
            return self._listing(fields, cursor.token if cursor else None)
        return self._changes(fields, cursor)

    def read(self, object: str, fields: tuple[str, ...], refs: Sequence[str]) -> Iterator[Record]:
        self._known(object)
        for start in range(0, len(refs), PAGE):
            wanted = refs[start : start + PAGE]
            ids = [int(ref) for ref in wanted if ref.isdecimal()]
            found = {one.ref: one for one in self._search(fields, ["id", "in", ids])}
            yield from (found.get(ref) or Record(ref, {}, liveness="gone") for ref in wanted)

    def find(self, object: str, fields: tuple[str, ...], field: str, values: Sequence[str]) -> Iterator[Record]:
        """An e-mail is found in any case; like the other mechanisms, only where it is the one its party shows."""
        self._known(object)
        if field not in MECHANISMS and not (self._native.get(field, {}).get("searchable") and self._kinds[field] in TYPES):
            raise UsageError(f"Tryton cannot look parties up by {field!r}")
        shown = tuple(dict.fromkeys((*fields, field)))
        for start in range(0, len(values), FIND):
            wanted = {value.casefold() for value in values[start : start + FIND]}
            for one in self._search(shown, _holding(field, values[start : start + FIND])):
                if one.liveness == "live" and str(one.fields[field]).casefold() in wanted:
                    yield one

    def push(self, object: str, fields: tuple[str, ...], changes: Iterable[Change]) -> Iterator[Receipt]:
        self._known(object)
        writer = Writer(self._rpc, self._directory, self._kinds, lambda refs: self.read(object, fields, refs))
        return writer.push(changes, self.capabilities.batch_write)

    def close(self) -> None:
        self._door.close()

    def _changes(self, fields: tuple[str, ...], cursor: Cursor) -> Iterator[Page]:
        """Parties stamped in the window, or with a mechanism stamped in it, by id: an edit meanwhile moves no row to another page.

        So the cursor may move only at the end, to the server's time at the first call.
        """
        since = ["last_modified_at", ">=", wire_instant(since_us(cursor, self.capabilities.overlap_s))]
        touched = ["OR", since, ["contact_mechanisms", "where", [EVEN_ARCHIVED, since]], NEVER]
        for records, began_us, last in self._by_id(fields, 0, touched):
            yield Page(records, finished(cursor, began_us) if last else cursor)

    def _listing(self, fields: tuple[str, ...], token: str | None) -> Iterator[Page]:
        """Everyone, archived ones too, by id; a token is "when it began:last id"."""
        began, _, after = (token or "0:0").partition(":")
        began_us = int(began)
        for records, asked_us, last in self._by_id(fields, int(after)):
            began_us = began_us or asked_us
            cursor = Cursor(began_us) if last else Cursor(0, token=f"{began_us}:{records[-1].ref}")
            yield Page(records, cursor, complete=last)

    def _by_id(self, fields: tuple[str, ...], after: int, *domain: Any) -> Iterator[tuple[list[Record], int, bool]]:
        """Pages of (records, server's time at the first call, whether it is the last)."""
        began_us, last = 0, False
        while not last:
            records = self._search(fields, ["id", ">", after], *domain, limit=PAGE)
            began_us, last = began_us or self._rpc.asked_us, len(records) < PAGE
            after = int(records[-1].ref) if records else after
            yield records, began_us, last

    def _search(self, fields: tuple[str, ...], *domain: Any, limit: int | None = None) -> list[Record]:
        gone = set(fields) - self._native.keys() - {OPT_OUT}
        if gone:
            raise SchemaDrift(f"Tryton's parties have no field {', '.join(sorted(gone))}")
        opt_out = self._directory.names.opt_out
        rows = self._rpc.call(PARTY + "search_read", [EVEN_ARCHIVED, *domain], 0, limit, [["id", "ASC"]], asked(fields))
        return [record(row, fields, self._kinds, opt_out) for row in rows]

    @cached_property
    def _native(self) -> Mapping[str, Mapping[str, Any]]:
        fields: dict[str, Mapping[str, Any]] = self._rpc.call(PARTY + "fields_get", [])
        return {name: native for name, native in fields.items() if field_info(name, native) or name in ("lang", "categories")}

    @cached_property
    def _kinds(self) -> Mapping[str, str]:
        return {name: str(native["type"]) for name, native in self._native.items()}

    def _known(self, object: str) -> None:
        if object not in self.objects:
            raise UsageError(f"Tryton has no object {object!r}; it has: {', '.join(self.objects)}")


def _holding(field: str, values: Sequence[str]) -> list[Any]:
    """The domain of parties that may hold one of `values`; wildcards in them only make it wider."""
    if field in MECHANISMS:
        return ["contact_mechanisms", "where", [["type", "=", field], ["OR", *(["value", "ilike", value] for value in values)]]]
    return [field, "in", list(values)]
