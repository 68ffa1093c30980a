"""Observe: poll both sides at once, a page ahead of the work, and stage what changed with the cursor in one transaction per page.

A record whose digest equals the stored one is done here: no lens, no merge. Nothing is decided before both polls are staged whole.

A digest has two halves. The first is of the vendor's own bytes, where a page brings them: equal bytes, and the record is not even decoded.
The second is of what we map: bytes that differ in anything else (a stamp, the order of keys) cost one look, and then their half is renewed.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from queue import Queue
from typing import Any

import msgspec

from connectors.typed import Shown
from flows.progress import Progress
from flows.settings import Context
from state.observations import Observation
from syncline.cursor import Cursor
from syncline.errors import SyncError
from syncline.ports import Page
from syncline.records import SIDES, Record, Side

AHEAD = 2
"""Pages that may wait, both sides together: one being staged, one ready."""

TOGETHER = 1000
"""Records staged in one transaction, at least: where a vendor's pages are small, several of them."""

HALF = 16
"""Bytes of each half of a digest."""

NO_BYTES = bytes(HALF)
"""The first half of a digest of a record that came some other way than by a listing."""

_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Observed:
    """What one side's poll brought. read = unchanged + staged. `complete`: a full listing was whole. `ended`: where polls go on once a
    listing that came to its end is believed.
    """

    read: int = 0
    unchanged: int = 0
    staged: int = 0
    full: bool = False
    complete: bool = False
    ended: Cursor | None = None


def told(record: Record) -> bytes:
    """Its fields as JSON, in the order asked: what is hashed, and what is stored."""
    return record.fields.json() if type(record.fields) is Shown else _encode(dict(record.fields))


def digest_of(record: Record, text: bytes, raw: bytes = NO_BYTES) -> bytes:
    """`raw`, and 16 bytes that change when anything we map, the record's version or its liveness changes.

    Those of another mapping need not differ: adopting one forgets every digest.
    """
    return raw + sha256(text + f"{record.liveness}\n{record.version or ''}".encode()).digest()[:HALF]


def raw_digest(raw: bytes) -> bytes:
    """16 bytes that change when the vendor's bytes of a record do."""
    return sha256(raw).digest()[:HALF]


def observation(context: Context, side: Side, record: Record, text: bytes, digest: bytes | None) -> Observation:
    """A record with what the store needs to find it again: its digest and match keys."""
    return Observation(record, digest, *keys_of(context, side, record), text.decode())


def keys_of(context: Context, side: Side, record: Record) -> Sequence[str | None]:
    """Its first and its second match key, None where it has none."""
    keys = [match.key[side](record.fields) for match in context.mapping.match]
    return [*keys, None, None][:2]


def whole(context: Context, side: Side, record: Record) -> Observation:
    """The observation of a record that was read whole, by itself."""
    text = told(record)
    return observation(context, side, record, text, digest_of(record, text))


def observe(context: Context, *, full: bool, progress: Progress) -> dict[Side, Observed]:
    """Poll both sides and stage what changed. `full`: list everything. Raises the first error of either side.

    What a listing brought is staged; whether it is believed, and so moves the cursor, is for `listings.judge` to say.
    """
    found = {side: Observed(full=full) for side in SIDES}
    cursors = {side: context.sync.cursor(side) for side in SIDES}
    for side in SIDES:
        found[side].full = full or cursors[side] is None or cursors[side].token is not None
        if found[side].full and not (cursors[side] and cursors[side].token):
            context.sync.begin_sweep(side)
    progress.stage("observe")
    for side, pages in _gathered((_in_turn if context.in_turn else _together)(context, cursors, full)):
        _stage(context, side, pages, found[side])
        progress.advance(sum(len(page.records) for page in pages))
    return found


def _gathered(pages: Iterator[tuple[Side, Page]]) -> Iterator[tuple[Side, list[Page]]]:
    """Following pages of a side together. What was read before an error goes on too: it need not be read again."""
    held: dict[Side, list[Page]] = {side: [] for side in SIDES}
    failure: SyncError | None = None
    try:
        for side, page in pages:
            held[side].append(page)
            if sum(len(each.records) for each in held[side]) >= TOGETHER:
                yield side, held[side]
                held[side] = []
    except SyncError as error:
        failure = error
    yield from ((side, some) for side, some in held.items() if some)
    if failure is not None:
        raise failure


def _in_turn(context: Context, cursors: dict[Side, Cursor | None], full: bool) -> Iterator[tuple[Side, Page]]:
    """A page of one side, a page of the other, in the caller's own thread: nothing depends on who is faster."""
    polls = {side: _pull(context, side, cursors[side], full) for side in SIDES}
    while polls:
        for side in tuple(polls):
            page = next(polls[side], None)
            if page is None:
                del polls[side]
            else:
                yield side, page


def _together(context: Context, cursors: dict[Side, Cursor | None], full: bool) -> Iterator[tuple[Side, Page]]:
    """Pages of both sides as they come. One thread a side polls; the queue bounds how far it runs ahead. Errors arrive in order."""
    queue: Queue[tuple[Side, Page | BaseException | None]] = Queue(maxsize=AHEAD)
    stop = threading.Event()
    threads = [threading.Thread(target=_poll, args=(context, side, cursors[side], full, queue, stop), daemon=True) for side in SIDES]
    for thread in threads:
        thread.start()
    running = len(threads)
    try:
        while running:
            side, item = queue.get()
            if item is None:
                running -= 1
            elif isinstance(item, BaseException):
                raise item
            else:
                yield side, item
    finally:
        stop.set()
        while any(thread.is_alive() for thread in threads):
            while not queue.empty():
                queue.get_nowait()
            for thread in threads:
                thread.join(0.01)


def _pull(context: Context, side: Side, cursor: Cursor | None, full: bool) -> Iterator[Page]:
    spec = context.mapping.sides[side]
    start = None if full and not (cursor and cursor.token) else cursor
    return iter(context.connectors[side].pull(spec.object, spec.native, start))


def _poll(context: Context, side: Side, cursor: Cursor | None, full: bool, queue: Queue[Any], stop: threading.Event) -> None:
    try:
        for page in _pull(context, side, cursor, full):
            queue.put((side, page))
            if stop.is_set():
                return
        queue.put((side, None))
    except BaseException as error:  # noqa: BLE001 - the caller's thread raises it, whatever it is
        queue.put((side, error))


def _stage(context: Context, side: Side, pages: Sequence[Page], found: Observed) -> None:
    refs = [ref for page in pages for ref in _refs(page)]
    looked = _Looked(context, side, context.sync.digests(side, refs) if refs else {})
    for page in pages:
        looked.at(page)
    fresh, last = believed(context, side, looked.fresh), pages[-1]
    found.ended = last.cursor if found.full and last.cursor.token is None else None
    context.sync.stage(
        side,
        fresh,
        None if found.ended else last.cursor,
        looked.live if found.full else None,
        now_us=context.clock(),
        refreshed=looked.refreshed,
    )
    read = sum(len(page.records) for page in pages)
    found.read += read
    found.staged += len(fresh)
    found.unchanged += read - len(fresh)
    found.complete = found.complete or last.complete


def believed(context: Context, side: Side, fresh: list[Observation]) -> list[Observation]:
    """A list that says otherwise of a record's life, and not of a later time, may be late: such a record is looked up by id.

    Else whom somebody deleted, and we after them, would come back with the next poll. So is a record that shows other values of the very
    time that we know it by: two writes of one second, and the list has heard of the first.
    """
    doubted = {each.record.ref: each.record for each in context.sync.doubtful(side, fresh)} if fresh else {}
    if not doubted:
        return fresh
    looked = read_again(context, side, sorted(doubted))
    return [each for each in fresh if each.record.ref not in doubted] + [
        _with_last_words(context, side, each, doubted[each.record.ref]) for each in looked
    ]


def _with_last_words(context: Context, side: Side, looked: Observation, listed: Record) -> Observation:
    """By id, a vendor may show nothing of who was merged away: what a list still shows, newer than what we knew, was said before that."""
    if looked.record.liveness != "merged" or looked.record.fields:
        return looked
    said = whole(context, side, replace(looked.record, fields=listed.fields, modified_us=listed.modified_us))
    return looked if context.sync.older(side, [said]) else said


def _refs(page: Page) -> list[str]:
    return [ref for ref, _ in page.raw] if page.raw else [record.ref for record in page.records]


class _Looked:
    """What a look at some pages of a side found. `fresh`: what must be staged; `live`: refs; `refreshed`: digests of other bytes alike."""

    def __init__(self, context: Context, side: Side, known: Mapping[str, tuple[bytes, bool]]) -> None:
        self._context, self._side, self._known = context, side, known
        self.fresh: list[Observation] = []
        self.live: list[str] = []
        self.refreshed: dict[str, bytes] = {}

    def at(self, page: Page) -> None:
        """Compare every record with what is known of it; only those whose bytes are new are made at all."""
        known = self._known
        if not page.raw:
            for record in page.records:
                self._compare(record, known.get(record.ref), NO_BYTES)
            return
        for number, (ref, raw) in enumerate(page.raw):
            half, old = raw_digest(raw), known.get(ref)
            if old is None or not old[0].startswith(half):
                self._compare(page.records[number], old, half)
            elif old[1]:
                self.live.append(ref)

    def _compare(self, record: Record, old: tuple[bytes, bool] | None, raw: bytes) -> None:
        if record.liveness == "live":
            self.live.append(record.ref)
        elif old is None:
            return  # dead before we ever saw it: nobody's business
        text = told(record)
        digest = digest_of(record, text, raw)
        if old is None or not same(old[0], digest):
            self.fresh.append(observation(self._context, self._side, record, text, digest))
        elif raw != NO_BYTES:
            self.refreshed[record.ref] = digest


def same(one: bytes, two: bytes) -> bool:
    """Whether two digests are of the same fields, whatever bytes they came in."""
    return one[HALF:] == two[HALF:]


def read_again(context: Context, side: Side, refs: list[str]) -> Iterator[Observation]:
    """The records as they are now, ready to be staged."""
    spec, connector = context.mapping.sides[side], context.connectors[side]
    for record in connector.read(spec.object, spec.native, refs):
        yield whole(context, side, record)
