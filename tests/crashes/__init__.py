"""Crashes (I8): whenever a run dies, the next ones reach the same end as if nothing had happened.

`python -m tests.crashes.kills --kills 100 --seed 1` ends real processes with SIGKILL, over HTTP to the twins, on SQLite and Postgres.
"""
