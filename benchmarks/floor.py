"""The floor: what everyone writes first. `requests`, `json`, `sqlite3`, no logic: it never compares, matches, retries or looks again.

python -m benchmarks.floor FOLDER create|read|delta [SINCE_MS]          prints {"work_s": CPU without importing, "peak_mb": …}
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

import requests

from benchmarks.measure import peak_mb
from benchmarks.people import ASKED, MEMBER_FIELDS, member
from benchmarks.work import WorkClock

TABLES = """
create table snapshot (side text, ref text, body text, primary key (side, ref));
create table link (crm text primary key, marketing text);
create table log (at integer primary key autoincrement, ref text, entry text);
"""
CRM = os.environ.get("SYNCLINE_HUBSPOT_BASE_URL", "") + "/crm/v3/objects/contacts"
AUDIENCE = f"{os.environ.get('SYNCLINE_MAILCHIMP_BASE_URL', '')}/3.0/lists/{os.environ.get('SYNCLINE_MAILCHIMP_AUDIENCE', '')}"


class Floor:
    """Two sessions and a database file."""

    def __init__(self, folder: Path) -> None:
        self.crm, self.marketing = requests.Session(), requests.Session()
        self.crm.headers["Authorization"] = f"Bearer {os.environ['SYNCLINE_HUBSPOT_TOKEN']}"
        self.marketing.auth = ("floor", os.environ["SYNCLINE_MAILCHIMP_API_KEY"])
        self.database = sqlite3.connect(folder / "floor.sqlite")
        self.database.executescript("pragma journal_mode = wal;" + TABLES)

    def contacts(self) -> Iterator[list[dict]]:
        """The CRM's contacts, 100 a page."""
        query = {"limit": "100", "properties": ",".join(ASKED)}
        while True:
            page = self.crm.get(CRM, params=query).json()
            yield page["results"]
            if "paging" not in page:
                return
            query["after"] = page["paging"]["next"]["after"]

    def changed(self, since_ms: int) -> Iterator[list[dict]]:
        """Contacts changed since then, 200 a page."""
        filters = [{"propertyName": "lastmodifieddate", "operator": "GTE", "value": str(since_ms)}]
        body = {"filterGroups": [{"filters": filters}], "properties": list(ASKED), "limit": 200}
        while True:
            page = self.crm.post(f"{CRM}/search", json=body).json()
            yield page["results"]
            if "paging" not in page:
                return
            body["after"] = page["paging"]["next"]["after"]

    def members(self) -> Iterator[list[dict]]:
        """The audience's members, 1,000 a page."""
        fields, offset, total = ",".join(f"members.{name}" for name in MEMBER_FIELDS) + ",total_items", 0, 1
        while offset < total:
            page = self.marketing.get(f"{AUDIENCE}/members", params={"count": 1000, "offset": offset, "fields": fields}).json()
            yield page["members"]
            offset, total = offset + 1000, page["total_items"]

    def copy(self, pages: Iterator[list[dict]], update: bool) -> None:
        """Contacts to members, 500 a call; per contact two snapshots, a link and a log row, 500 contacts a transaction."""
        contacts = chain.from_iterable(pages)
        while some := list(islice(contacts, 500)):
            body = {"members": [member(c["properties"]) for c in some], "update_existing": update}
            answer = self.marketing.post(AUDIENCE, json=body).json()
            self._store(some, answer["new_members"] + answer["updated_members"])

    def _store(self, contacts: list[dict], members: list[dict]) -> None:
        shown = [("crm", c["id"], json.dumps(c)) for c in contacts] + [("marketing", m["contact_id"], json.dumps(m)) for m in members]
        links = [(c["id"], m["contact_id"]) for c, m in zip(contacts, members, strict=True)]
        with self.database:
            self.database.executemany("replace into snapshot values (?, ?, ?)", shown)
            self.database.executemany("replace into link values (?, ?)", links)
            self.database.executemany(
                "insert into log (ref, entry) values (?, ?)", [(c["id"], json.dumps(c["properties"])) for c in contacts]
            )


def main(folder: str, what: str, since_ms: str = "0") -> None:
    clock = WorkClock()
    floor = Floor(Path(folder))
    if what == "create":
        floor.copy(floor.contacts(), update=False)
    elif what == "delta":
        floor.copy(floor.changed(int(since_ms)), update=True)
    else:
        for _ in chain(floor.contacts(), floor.members()):
            pass
    floor.database.close()
    print(json.dumps({"work_s": clock.seconds(), "peak_mb": peak_mb()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
