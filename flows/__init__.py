"""Time and order: one round of a sync as plain functions, and thin Prefect flows over them. Nothing imports this room but `console`.

- settings: what a run is given: mapping, database, connectors, clock
- observe: poll both sides, stage what changed
- reconcile: match, follow merges, decide, weigh, commit
- push, recheck, sender: carry out the outbox, look again before an overwrite, settle
- round: one round from lease to report (no Prefect in it)
- sync_contacts, sweep, settle_outbox, deployed: the Prefect flows
"""
