"""Runs that meet, end to end (H-03): one at a time, whoever starts them, and whatever becomes of them."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from flows.round import LEASE_TTL_S, run_round
from sandbox.handles import Twins
from syncline.errors import LockHeld
from tests.databases import database_url, postgres_uri, postgres_url
from tests.e2e.crash_wire import acting, searches, updates_contacts
from tests.e2e.operations import in_step, untouched
from tests.e2e.world import World

__all__ = ["database_url", "postgres_uri", "postgres_url"]


@contextmanager
def other_process(world: World, when: Callable[[Any], bool], *, before: bool = True) -> Iterator[Callable[[], int]]:
    """A sync in a process of its own, stopped just before the call for which `when` holds, or after. Call the result to let it go on."""
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        code = 99
        try:
            patch = pytest.MonkeyPatch()
            acting(patch, when, lambda: (os.write(ready[1], b"!"), os.read(go[0], 1)), before=before)
            with world.context() as context:
                code = run_round(context).exit_code
        finally:
            os._exit(code)

    def go_on() -> int:
        os.write(go[1], b"!")
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    assert os.read(ready[0], 1) == b"!"
    go_on.pid = child  # type: ignore[attr-defined]
    yield go_on
    for end in (*ready, *go):
        os.close(end)


@pytest.fixture
def shared(running_twins: Twins, tmp_path: Path, database_url: str) -> World:
    """A world on SQLite, and one on Postgres."""
    running_twins.reset()
    return World(running_twins, tmp_path, database_url)


def test_H_03_a_second_run_is_turned_away_and_the_first_goes_on(shared: World) -> None:
    emails = in_step(shared, 3)
    shared.crm.edit("update", email=emails[0], fields={"firstname": "Ada"})
    with other_process(shared, searches) as go_on:
        report = shared.sync()
        assert isinstance(report.error, LockHeld)
        assert (report.status, report.exit_code, report.run_id) == ("failed", 4, 0)
        untouched(shared)
        assert go_on() == 0
    assert shared.written("marketing") == [("FNAME", "Ada")]
    shared.at_rest()


def test_H_03_a_run_that_lost_its_lease_writes_nothing_any_more(shared: World) -> None:
    emails = in_step(shared, 3)
    shared.crm.edit("update", email=emails[0], fields={"firstname": "Ada"})
    with other_process(shared, searches) as go_on:
        shared.shift_s = LEASE_TTL_S + 1
        assert shared.sync().exit_code == 0
        assert shared.written("marketing") == [("FNAME", "Ada")]
        size = len(shared.log())
        assert go_on() == 4
        assert len(shared.log()) == size
    assert shared.written("marketing") == [("FNAME", "Ada")]
    shared.at_rest()


def test_H_03_a_run_that_lost_its_lease_sends_nothing_again_without_the_field_that_was_refused(shared: World) -> None:
    [email] = in_step(shared, 1)
    shared.crm.edit("remove_option", field="marketing_tags", value="event")
    shared.marketing.edit("update", email=email, fields={"tags": ["event"], "COUNTRY": "FR"})
    with other_process(shared, updates_contacts, before=False) as go_on:
        shared.shift_s = LEASE_TTL_S + 1
        assert shared.sync().exit_code == 1
        assert shared.written("crm") == [("country", "France")]
        calls, size = shared.crm.calls()["calls"], len(shared.log())
        assert go_on() == 4
        assert (shared.crm.calls()["calls"], len(shared.log())) == (calls, size)
    shared.at_rest()


def test_H_03_three_first_runs_at_once_do_the_work_once(shared: World) -> None:
    """Nobody has made the database yet."""
    for name in ("ada", "bob"):
        shared.crm.edit("create", fields={"email": f"{name}@people.example", "firstname": name})
    shared.pair("cid", {"firstname": "Cid"}, {"FNAME": "Cid"})
    codes = []

    def first_run() -> None:
        os._exit(shared.sync().exit_code)

    children = [started(first_run) for _ in range(3)]
    for child in children:
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    assert 0 in codes
    assert set(codes) <= {0, 4}
    shared.at_rest()
    made = [
        effect["after"]["email_address"] for effect in shared.marketing.effects() if (effect["op"], effect["actor"]) == ("create", "api")
    ]
    assert sorted(made) == ["ada@people.example", "bob@people.example"]


def started(act: Callable[[], None]) -> int:
    """A child process that does this; its id."""
    child = os.fork()
    if child == 0:
        try:
            act()
        except Exception:  # noqa: BLE001  (the traceback is all that a failing test would know of the child)
            traceback.print_exc()
        finally:
            os._exit(99)
    return child


def test_H_03_the_lease_of_a_killed_run_is_free_after_its_time(shared: World) -> None:
    emails = in_step(shared, 3)
    shared.crm.edit("update", email=emails[0], fields={"firstname": "Ada"})
    with other_process(shared, searches) as go_on:
        os.kill(go_on.pid, signal.SIGKILL)  # type: ignore[attr-defined]
        os.waitpid(go_on.pid, 0)  # type: ignore[attr-defined]
    assert shared.sync().exit_code == 4
    shared.shift_s = LEASE_TTL_S + 1
    assert shared.sync().exit_code == 0
    assert shared.written("marketing") == [("FNAME", "Ada")]
    shared.at_rest()


def test_H_03_a_long_run_keeps_its_lease(world: World) -> None:
    in_step(world, 3)
    taken: list[str] = []

    class Slow:
        """Ten minutes pass with every step."""

        def stage(self, name: str, total: int | None = None) -> None:
            pass

        def advance(self, count: int) -> None:
            world.shift_s += 600
            with world.context() as rival:
                try:
                    rival.sync.lease.acquire("rival", rival.clock(), 1)
                    taken.append("rival")
                except LockHeld:
                    taken.append("refused")

    for number in range(3):
        world.crm.edit("update", email=f"p{number:03d}@people.example", fields={"firstname": "Ada"})
    with world.context() as context:
        report = run_round(context, progress=Slow())
    assert report.error is None
    assert len(taken) > 3
    assert set(taken) == {"refused"}
