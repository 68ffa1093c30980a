"""The door of `state`: open a database, take a sync, call it. Each method is one transaction and is documented where it lives."""

from __future__ import annotations

import secrets

import sqlalchemy as sa

from state import forking, schema
from state.commits import Commits
from state.contacts import Contacts
from state.cursors import Cursors
from state.database import Database
from state.erasure import Erasure
from state.holds import Holds
from state.lease import Lease
from state.log import ChangeLog
from state.matching import Matching
from state.merging import Merging
from state.observations import Observations
from state.outbox import Outbox
from state.plans import Plans
from state.runs import Runs
from state.scope import Scope
from state.settling import Settling
from state.status import Alone, Paused, Standing, Status, alone, paused, standing, status
from state.verification import Verification

_FIND = sa.text("SELECT id FROM sync WHERE name = :name")
_MAKE = sa.text(
    "INSERT INTO sync (name, next_contact_id, next_run_id, staged, log_size, log_nodes, log_key) VALUES (:name, 1, 1, 0, 0, :nodes, :key)"
    " ON CONFLICT (name) DO NOTHING"
)


class Store:
    """One database. `Store.open(url)`: SQLite (a path or sqlite:///…) or Postgres; an older schema is upgraded, a newer one refused."""

    def __init__(self, database: Database) -> None:
        self.database = database

    @classmethod
    def open(cls, url: str) -> Store:
        """Raises UsageError, saying what to do, when the database cannot be used."""
        database = Database(url)
        try:
            schema.upgrade(database)
        except BaseException:
            database.close()
            raise
        return cls(database)

    def close(self) -> None:
        """Give the connections back."""
        self.database.close()

    def fork(self, name: str) -> SyncStore:
        """A trial copy of the sync of that name, for a plan that must leave no trace; `drop_fork` removes it."""
        return self.sync(forking.fork(self.database, name))

    def drop_fork(self, name: str) -> None:
        """Remove the trial copy of the sync of that name, if there is one."""
        forking.drop(self.database, name + forking.SUFFIX)

    def sync_names(self) -> list[str]:
        """Names of all syncs that were ever used, in order."""
        with self.database.read() as connection:
            return list(connection.execute(sa.text("SELECT name FROM sync ORDER BY name")).scalars())

    def sync(self, name: str, log_key: bytes | None = None) -> SyncStore:
        """The sync of that name, made when it is new. `log_key`: its 32-byte secret then (random unless given)."""
        with self.database.read() as connection:
            found = connection.execute(_FIND, {"name": name}).scalar()
        if found is None:
            with self.database.write() as connection:
                connection.execute(_MAKE, {"name": name, "nodes": b"", "key": log_key or secrets.token_bytes(32)})
                found = connection.execute(_FIND, {"name": name}).scalar_one()
        return SyncStore(name, Scope(self.database, int(found)))


class SyncStore:
    """Everything one sync remembers. Its parts (`state.<part>`) hold the documentation; here their methods are gathered under one name."""

    def __init__(self, name: str, scope: Scope) -> None:
        self.name, self._scope = name, scope
        self.lease = Lease(scope)
        runs = Runs(scope)
        self.begin_run, self.end_run, self.runs, self.run = runs.begin_run, runs.end_run, runs.runs, runs.run
        self.mapping_version, self.adopt_mapping, self.mapping_text = runs.mapping_version, runs.adopt_mapping, runs.mapping_text
        self.schema_json, self.save_schema = runs.schema_json, runs.save_schema
        cursors = Cursors(scope)
        self.cursor, self.go_back = cursors.cursor, cursors.go_back
        seen = Observations(scope)
        self.digests, self.stage, self.observe_moved = seen.digests, seen.stage, seen.observe_moved
        self.begin_sweep, self.unswept, self.touch_held = seen.begin_sweep, seen.unswept, seen.touch_held
        self.doubtful, self.listed_older = seen.doubtful, seen.listed_older
        self.older, self.live_count, self.swept_count, self.linked_count = seen.older, seen.live_count, seen.swept_count, seen.linked_count
        self.match_records = Matching(scope).match_records
        merging = Merging(scope)
        self.merges, self.missing_survivors, self.apply_merge = merging.merges, merging.missing_survivors, merging.apply_merge
        contacts = Contacts(scope)
        self.contacts_to_decide, self.load_contact = contacts.contacts_to_decide, contacts.load_contact
        self.contact_by, self.find_contact = contacts.contact_by, contacts.find_contact
        self.standing, self.provenance = contacts.standing, contacts.provenance
        plans = Plans(scope)
        self.save_plan, self.plan_totals, self.plan_chunks = plans.save_plan, plans.plan_totals, plans.plan_chunks
        self.plan_exists, self.planned_runs, self.drop_plan = plans.plan_exists, plans.planned_runs, plans.drop_plan
        self.commit_chunk = Commits(scope).commit_chunk
        outbox = Outbox(scope)
        self.outbox_size, self.claim, self.mark_sending = outbox.outbox_size, outbox.claim, outbox.mark_sending
        self.attempts = outbox.attempts
        self.settle = Settling(scope).settle
        holds = Holds(scope)
        self.holds, self.open_holds = holds.holds, holds.open_count
        log = ChangeLog(scope)
        self.entries, self.append, self.checkpoint = log.entries, log.append, log.checkpoint
        self.verify = Verification(scope).verify
        self.erase = Erasure(scope).erase

    def fenced(self, fencing: int | None) -> None:
        """From now on every write transaction checks that this lease number is current, and raises LockHeld when it is not."""
        self._scope.fencing = fencing

    def status(self) -> Status:
        """Counts for people."""
        return status(self._scope, self.linked_count())

    def paused(self) -> Paused:
        """What waits to be tried again."""
        return paused(self._scope)

    def alone(self, key: str) -> list[Alone]:
        """Records with that match key that are linked with nobody."""
        return alone(self._scope, key)

    def standing_of(self, contact_id: int) -> Standing:
        """Whether, and when, one contact is decided again."""
        return standing(self._scope, contact_id)
