"""Erasing a person, end to end: among runs, and with all that they ever were. Whatever the vendors show afterwards, nothing is stored."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from connectors.mailchimp import Mailchimp
from syncline.errors import LockHeld
from tests.e2e.test_cases_fields import ADA, crm_edit, linked, marketing_edit
from tests.e2e.world import World


def erase(world: World) -> bool:
    """Ada, as an operator would."""
    with world.context() as context:
        return context.sync.erase(1, None, context.clock())


def left(world: World, *words: str) -> list[str]:
    """Those of the words that are still in a file of the database."""
    files = b"".join(path.read_bytes() for path in (world.folder / ".syncline").glob("state.sqlite*")).lower()
    return [word for word in words if word.lower().encode() in files]


def records(world: World) -> list[tuple[int, str]]:
    """(contact, what is stored of it) of every record."""
    with world.context() as context, context.store.database.read() as connection:
        return [tuple(row) for row in connection.execute(sa.text("SELECT contact_id, seen FROM record")).all()]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_nobody_is_erased_while_a_run_writes_and_everything_goes_once_it_has_ended(
    world: World, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    linked(world)
    crm_edit(world, company="Topsecret")
    real, refused = Mailchimp.push, []

    def push(*args: Any) -> Any:
        answers = iter(real(*args) if moment == "before" else list(real(*args)))
        with pytest.raises(LockHeld) as held:
            erase(world)
        refused.append(held.value.exit_code)
        yield from answers

    with monkeypatch.context() as patched:
        patched.setattr(Mailchimp, "push", push)
        assert world.sync().error is None
    assert refused == [4] and world.written("marketing") == [("COMPANY", "Topsecret")]
    assert erase(world)
    crm_edit(world, company="Topsecret2")
    marketing_edit(world, COUNTRY="FR")
    world.mark()
    for kind in ("sync", "sweep", "sync"):
        assert world.sync(kind).error is None
    assert records(world) == [(1, "{}"), (1, "{}")] and left(world, "topsecret", ADA) == []
    assert (world.written("crm"), world.written("marketing")) == ([], [])
    world.verified()


def test_what_an_earlier_record_of_the_person_said_is_gone_too(world: World) -> None:
    """Ada was deleted in the CRM and made anew: her contact took the new record in, and the old one is a tombstone."""
    linked(world, {"company": "Topsecret"})
    old = world.crm_record(ADA)["id"]
    world.crm.edit("delete", email=ADA)
    world.crm.edit("create", fields={"email": ADA, "firstname": "Ada", "lifecyclestage": "customer", "company": "Hushhush"})
    world.sync("sweep")
    world.settle()
    with world.context() as context:
        assert [context.sync.contact_by("crm", ref) for ref in (old, world.crm_record(ADA)["id"])] == [None, 1]
    assert erase(world)
    assert left(world, "topsecret", "hushhush", ADA) == [] and [seen for _, seen in records(world)] == ["{}"] * 3
    world.verified()
