"""Reading HubSpot contacts: list, search, batch read. Only `hubspot*` import it.

Search answers lag, show at most 10,000 rows, pick rows by an older index than the values they show, and shift while people edit. So we
never page by offset or by stamp: inside a window of time we walk by record id, which never changes, and we halve a window with many rows
so that the cursor gets on. A row that leaves its window meanwhile has a newer stamp: we meet it in the last, open window or next time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from connectors.http import Door, Pace, Purpose, Rate, Reply
from connectors.hubspot_shapes import LISTED, MODIFIED, TITLE, Answer, Row, answer_to, reader, recorder, ref_of, wanted
from connectors.typed import Unread, named
from syncline.cursor import Cursor, finished, since_us
from syncline.errors import Unreachable
from syncline.ports import Page
from syncline.records import Record

CONTACTS = "/crm/v3/objects/contacts"
BATCH = 100
OVERLAP_S = 120
SEARCH_PAGE = 200
SEARCH_BODY_CHARS = 3000
WINDOW_ROWS = 10_000
SEARCH_RATE = Rate(5, 1, share=0.8)
NEXT = {"live": "archived", "archived": "meanwhile"}


class Reader:
    """All reads, over one door."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._search_pace = Pace(SEARCH_RATE, door.clock)

    def everything(self, fields: tuple[str, ...], cursor: Cursor | None) -> Iterator[Page]:
        """A full listing: the live, the archived, then what changed meanwhile, so that who was restored is not taken for absent.

        `token` is "phase:after", and `at_us` keeps the vendor's time when the listing began.
        """
        read = reader(fields)
        phase, _, after = (cursor.token if cursor and cursor.token else "live:").partition(":")
        began_us = cursor.at_us if cursor and cursor.token else None
        while phase in NEXT:
            reply = self._list(fields, phase == "archived", after)
            began_us = reply.asked_us if began_us is None else began_us
            rows, after = reply.data.results, reply.data.after
            phase = phase if after else NEXT[phase]
            raw = named(rows, ref_of, TITLE)
            yield Page(Unread(rows, read, TITLE), Cursor(began_us, token=f"{phase}:{after}"), raw=raw)
        began = Cursor(began_us or 0)
        for page in self.changes(fields, began, overlap_s=0):
            yield Page(page.records, replace(began, token=f"{phase}:"))
        yield Page((), began, complete=True)

    def changes(self, fields: tuple[str, ...], cursor: Cursor, overlap_s: int = OVERLAP_S) -> Iterator[Page]:
        """What changed since the cursor, less the overlap. The cursor moves when a window is done; one call when nothing changed."""
        record = recorder(fields)
        low_ms = since_us(cursor, overlap_s) // 1000
        first = self._search(fields, low_ms, None)
        for answer, done_us in self._window(fields, first.data, low_ms, None, first.asked_us):
            cursor = finished(cursor, done_us)
            yield Page([record(row) for row in answer.results], cursor)

    def read(self, fields: tuple[str, ...], refs: Sequence[str]) -> Iterator[Record]:
        """One record for each ref: live, merged into another, or gone. Counted as re-checks."""
        record = recorder(fields)
        for some in chunks(list(dict.fromkeys(refs)), BATCH):
            answer = self._batch(fields, some, "recheck")
            if not answer.results and not answer.errors:
                raise Unreachable("HubSpot POST /crm/v3/objects/contacts/batch/read: answered with neither contacts nor errors")
            found = {row.id: record(row) for row in answer.results}
            survivors = {loser: survivor.ref for survivor in found.values() for loser in survivor.absorbed}
            for ref in some:
                yield found[ref] if ref in found else _absent(ref, survivors.get(ref))

    def find(self, fields: tuple[str, ...], field: str, values: Sequence[str]) -> Iterator[Record]:
        """The live contacts whose unique property `field` has one of `values`, each once."""
        record = recorder(fields)
        for some in chunks(list(dict.fromkeys(values)), BATCH):
            yield from map(record, self._batch(fields, some, "read", id_property=field).results)

    def _list(self, fields: tuple[str, ...], archived: bool, after: str) -> Reply:
        query = {"limit": BATCH, "properties": ",".join(wanted(fields)), "archived": str(archived).lower()}
        return self._door.call("GET", CONTACTS, query=query | ({"after": after} if after else {}), decoder=LISTED)

    def _window(
        self, fields: tuple[str, ...], answer: Answer[Any], low_ms: int, high_ms: int | None, began_us: int
    ) -> Iterator[tuple[Answer[Any], int]]:
        """(answer, time before which all has been read), from a window's first answer on. `high_ms` None: open, so until `began_us`."""
        end_ms = began_us // 1000 if high_ms is None else high_ms
        if answer.total > WINDOW_ROWS and end_ms - low_ms > 1:
            middle = (low_ms + end_ms) // 2
            for low, high in ((low_ms, middle), (middle, high_ms)):
                yield from self._window(fields, self._search(fields, low, high).data, low, high, began_us)
            return
        last = ""
        while answer.after:
            yield answer, 0
            # An archived contact still counts but is not shown: a page may be empty and not the last.
            last, after = (answer.results[-1].id, "") if answer.results else (last, answer.after)
            answer = self._search(fields, low_ms, high_ms, last, after).data
        yield answer, began_us if high_ms is None else high_ms * 1000

    def _search(self, fields: tuple[str, ...], low_ms: int, high_ms: int | None, last: str = "", after: str = "") -> Reply:
        body = _search_body(wanted(fields), low_ms, high_ms, last, after)
        too_long = len(msgspec.json.encode(body)) > SEARCH_BODY_CHARS
        if too_long:
            body["properties"] = [MODIFIED]
        reply = self._door.call("POST", f"{CONTACTS}/search", json=body, decoder=answer_to(fields), pace=self._search_pace)
        if too_long:
            reply.data.results = self._rows(fields, [row.id for row in reply.data.results])
        return reply

    def _rows(self, fields: tuple[str, ...], ids: list[str]) -> list[Row[Any]]:
        """The rows with these ids, in this order, when a search cannot carry all property names."""
        found = {row.id: row for some in chunks(ids, BATCH) for row in self._batch(fields, some, "read").results}
        return [found[id] for id in ids if id in found]

    def _batch(self, fields: tuple[str, ...], refs: Sequence[str], purpose: Purpose, id_property: str | None = None) -> Answer[Any]:
        body: dict[str, Any] = {"properties": wanted(fields), "inputs": [{"id": ref} for ref in refs]}
        if id_property:
            body["idProperty"] = id_property
        path, decoder = f"{CONTACTS}/batch/read", answer_to(fields)
        answer: Answer[Any] = self._door.call("POST", path, json=body, purpose=purpose, decoder=decoder).data
        return answer


def chunks(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """`items` in slices of `size`."""
    return (items[start : start + size] for start in range(0, len(items), size))


def _absent(ref: str, survivor: str | None) -> Record:
    return Record(ref, {}, liveness="merged", merged_into=survivor) if survivor else Record(ref, {}, liveness="gone")


def _search_body(properties: list[str], low_ms: int, high_ms: int | None, last: str, after: str) -> dict[str, Any]:
    filters = [{"propertyName": MODIFIED, "operator": "GTE", "value": str(low_ms)}]
    if high_ms is not None:
        filters.append({"propertyName": MODIFIED, "operator": "LT", "value": str(high_ms)})
    if last:
        filters.append({"propertyName": "hs_object_id", "operator": "GT", "value": last})
    sorts = [{"propertyName": "hs_object_id", "direction": "ASCENDING"}]
    body = {"filterGroups": [{"filters": filters}], "sorts": sorts, "properties": properties, "limit": SEARCH_PAGE}
    return body | ({"after": after} if after else {})
