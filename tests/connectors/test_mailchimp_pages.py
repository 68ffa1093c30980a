"""The law of Mailchimp's pages: whatever people do while a listing is being read, nobody is skipped.

The audience here is a model with the vendor's own rules of paging (windows, order, offsets), that is edited between two answers.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import parse_qsl, urlsplit

import responses
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.mailchimp import Mailchimp
from syncline.cursor import Cursor
from syncline.ports import Settings

START = datetime(2026, 11, 21, 10, tzinfo=UTC)
MEMBERS = "https://us21.api.mailchimp.com/3.0/lists/8c1f00/members"


class Audience:
    """Members as [ref, status, changed at]. `page_size` is the most it answers; `inclusive` says how it reads the start of a window.

    `haste` is how many people act between two answers."""

    def __init__(self, size: int, ties: int, page_size: int, inclusive: bool, acts: list[tuple[str, int]], haste: int) -> None:
        self.now = START
        old = START - timedelta(days=1)
        self.rows = [[f"m{n}", "subscribed", old + timedelta(seconds=n // ties)] for n in range(size)]
        self.page_size, self.inclusive, self.acts, self.haste, self.answers = page_size, inclusive, list(acts), haste, 0

    def act(self) -> None:
        """One person does one thing, perhaps to many at once; then a second goes by."""
        self.now += timedelta(seconds=1)
        if self.acts:
            kind, where = self.acts.pop(0)
            if kind == "join":
                self.rows.append([f"m{len(self.rows)}", "subscribed", self.now])
                return
            chosen = self.rows[: where % 16] if kind.endswith("many") else [self.rows[where % len(self.rows)]]
            for row in chosen:
                row[1], row[2] = {"edit": row[1], "archive": "archived", "revive": "subscribed"}[kind.split()[0]], self.now

    def answer(self, request):
        query = dict(parse_qsl(urlsplit(request.url).query))
        rows = [row for row in self.rows if (row[1] == "archived") == (query.get("status") == "archived")]
        rows = [row for row in rows if self.inside(row[2], query)]
        if query["sort_field"] == "last_changed":
            rows.sort(key=lambda row: row[2])
        offset = int(query["offset"])
        shown = [
            {"contact_id": ref, "email_address": f"{ref}@people.example", "status": status, "last_changed": changed.isoformat()}
            for ref, status, changed in rows[offset : offset + min(self.page_size, int(query["count"]))]
        ]
        body = json.dumps({"members": shown, "total_items": len(rows)})
        headers = {"Date": format_datetime(self.now, usegmt=True)}
        self.answers += 1
        for _ in range(self.haste):
            self.act()
        return 200, headers, body

    def inside(self, at: datetime, query: dict[str, str]) -> bool:
        since, before = query.get("since_last_changed"), query.get("before_last_changed")
        after_since = since is None or at > datetime.fromisoformat(since) or (self.inclusive and at == datetime.fromisoformat(since))
        return after_since and (before is None or at < datetime.fromisoformat(before))


def pull(audience: Audience, cursor: Cursor | None, stop_after: int = 10**6):
    """All pages; after `stop_after` of them by a new connector from the last cursor, as after a crash."""
    pages = []
    while True:
        with responses.RequestsMock() as wire:
            wire.add_callback(responses.GET, MEMBERS, audience.answer, content_type="application/json")
            connector = Mailchimp(Settings(secrets={"api_key": "k-us21"}, options={"audience": "8c1f00"}))
            for count, page in enumerate(connector.pull("members", ("email_address",), cursor), 1):
                pages.append(page)
                if count == stop_after and page.cursor.token:
                    break
            else:
                return pages
        cursor, stop_after = pages[-1].cursor, 10**6


def refs(pages) -> set[str]:
    return {record.ref for page in pages for record in page.records}


acts = st.lists(
    st.tuples(st.sampled_from(["edit", "archive", "revive", "join", "edit many", "archive many"]), st.integers(0, 80)),
    min_size=5,
    max_size=40,
)
audiences = st.builds(
    Audience, st.integers(1, 80), st.sampled_from([1, 3, 100]), st.just(20), st.booleans(), acts, st.sampled_from([1, 3, 10])
)


@settings(max_examples=150, deadline=None)
@given(audience=audiences)
def test_a_poll_skips_no_live_member_that_changed_before_it_began(audience):
    pages = pull(audience, Cursor(0))
    reached = datetime.fromtimestamp(pages[-1].cursor.at_us / 1_000_000, UTC)
    due = {ref for ref, status, changed in audience.rows if status != "archived" and changed < reached}
    assert due <= refs(pages), "everything at or before the cursor has been shown"
    assert not any(page.complete for page in pages), "a poll never says who is absent"


@settings(max_examples=150, deadline=None)
@given(audience=audiences, stop_after=st.integers(1, 6))
def test_a_listing_that_calls_itself_complete_has_shown_everybody(audience, stop_after):
    at_start = {ref for ref, _, _ in audience.rows}
    pages = pull(audience, None, stop_after)
    assert [page.complete for page in pages[:-1]] == [False] * (len(pages) - 1)
    if pages[-1].complete:
        assert at_start <= refs(pages)
    assert pages[-1].cursor.token is None and pages[-1].cursor.at_us <= START.timestamp() * 1_000_000


def test_a_quiet_listing_is_complete_and_its_pages_cost_one_call_each():
    audience = Audience(80, 1, 20, True, [], 0)
    pages = pull(audience, None)
    assert pages[-1].complete and len(refs(pages)) == 80
    assert audience.answers == 7 + 1 + 1, "seven live pages that each step back ten rows, the archived, what changed meanwhile"


def test_a_quiet_poll_of_many_equal_stamps_ends_and_shows_all():
    audience = Audience(80, 100, 20, False, [], 0)
    assert len(refs(pull(audience, Cursor(0)))) == 80
    assert audience.answers == 7
