"""Syncline's memory: observations, links, plans, the outbox, holds and the change log, in SQLite or Postgres.

It promises: every method is one transaction; a run's writes check the lease's fencing number in that same transaction; no clock and no
randomness (times and keys are passed in). It imports `syncline` and nothing else of ours; `flows` and `console` may import it.

    tables · migrations   the schema               lease          who may write            plans      the inert plan of a run
    database · codec      connections, JSON        runs           runs, mapping, schemas   commits    a plan turned live
    store                 the door: Store          observations   what both sides show     outbox     writes on their way
    log · verification    the change log           matching       records made pairs       settling   what became of them
    erasure               forgetting a person      merging        vendors' merges          holds      what waits, and why
    contacts              what the planner reads   status         counts for people
"""

from state.store import Store, SyncStore

__all__ = ["Store", "SyncStore"]
