"""Selects that several parts of the store share. `state` alone imports this."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from state.database import among
from state.statements import Connection
from state.tables import CONTACT, RECORD

KEYS_OF = sa.select(CONTACT.c.id, CONTACT.c.log_key).where(CONTACT.c.sync_id == sa.bindparam("s"), among(CONTACT.c.id, "ids"))
CONTACTS = sa.select(CONTACT).where(CONTACT.c.sync_id == sa.bindparam("s"), among(CONTACT.c.id, "ids"))
RECORDS_OF = sa.select(RECORD).where(RECORD.c.sync_id == sa.bindparam("s"), among(RECORD.c.contact_id, "ids"))
RECORDS = sa.select(RECORD).where(RECORD.c.sync_id == sa.bindparam("s"), RECORD.c.side == sa.bindparam("side"), among(RECORD.c.ref, "refs"))

RecordRow = namedtuple("RecordRow", RECORD.columns.keys())
"""A whole row of `record`."""


def records(connection: Connection, query: sa.Executable, values: Mapping[str, Any]) -> list[Any]:
    """RecordRows of `RECORDS` or `RECORDS_OF`, straight from the driver: a first load reads every record several times."""
    return list(map(RecordRow._make, connection.execute(query, values).cursor.fetchall()))
