"""Crashes (I8): whenever a run dies, the next ones reach the same end as if nothing had happened.

`python -m tests.crashes` dies at every boundary of many histories, in process; `python -m tests.crashes.kills` ends real processes with
SIGKILL, over HTTP to the twins, on SQLite and Postgres.
"""
