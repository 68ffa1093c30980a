"""I8, killed at any moment: the next runs reach the same end as if nothing had happened. No duplicate, nothing lost, the log verifies.

Every boundary of a scripted history (see `crash_child`, `crash_history`) is tried on SQLite, a sample of them on Postgres.
"""

from __future__ import annotations

import functools
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import flows.reconcile
import flows.settings
from flows.round import LEASE_TTL_S, Kind
from sandbox.handles import Twins
from sandbox.serve import start_twins
from tests.databases import postgres_uri, schema
from tests.e2e.crash_child import Boundaries, forked
from tests.e2e.crash_history import creates, end_state, play, rest, rounds
from tests.e2e.world import World

__all__ = ["postgres_uri"]

CHUNKS = 8
SAMPLE = 7


@pytest.fixture(scope="module")
def twins() -> Iterator[Twins]:
    """In a process of their own: this one forks."""
    with start_twins(rate=False, apart=True) as running:
        yield running


@pytest.fixture(autouse=True, scope="module")
def quick_and_piecemeal() -> Iterator[None]:
    """The mapping is read once: a history opens it a dozen times, and that is most of what opening costs. Plans come in many chunks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flows.settings, "load", functools.cache(flows.settings.load))
        patch.setattr(flows.reconcile, "CHUNK", 4)
        yield


def fresh(twins: Twins, folder: Path, database: str | None = None) -> World:
    twins.hubspot.reset()
    twins.mailchimp.reset()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return World(twins, folder, database)


def crash(world: World, at: int, again: int = 0, look: Kind | None = None) -> bool:
    """Play the history in a child that dies at boundary `at`, then go on as an operator would. False: the history has fewer.

    `again`: the next child dies too, at that boundary of its own; `look`: a round of this kind comes before the usual ones.
    """
    stage, passed = world.folder / "stage", world.folder / "passed"

    def child() -> None:
        boundaries = Boundaries(at)
        boundaries.install()
        play(world, note=lambda act: stage.write_text(str(act)))
        passed.write_text("\n".join(boundaries.names))

    code = forked(child)
    if code == 0:
        return False
    assert code == -9, f"the child failed at boundary {at}"
    world.shift_s += LEASE_TTL_S + 1
    act = int(stage.read_text())
    if again:
        forked(lambda: (Boundaries(again).install(), rounds(world, act)))
        world.shift_s += LEASE_TTL_S + 1
    if look:
        assert world.sync(look).error is None
    rounds(world, act)
    play(world, act + 1)
    rest(world)
    return True


def boundaries_of(world: World) -> list[str]:
    """What the history passes through when nothing happens."""
    assert not crash(world, 0)
    rest(world)
    return (world.folder / "passed").read_text().splitlines()


@pytest.fixture(scope="module")
def uncrashed(twins: Twins, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, list[str]]:
    world = fresh(twins, tmp_path_factory.mktemp("uncrashed") / "w")
    names = boundaries_of(world)
    return end_state(world), names


def check(world: World, expected: dict, at: int, names: list[str]) -> None:
    where = f"killed at boundary {at}: {names[at - 1] if at <= len(names) else 'beyond'}"
    assert end_state(world) == expected, where
    assert max(creates(world).values()) == 1, where
    world.verified()
    with world.context() as context:
        assert context.sync.outbox_size() == 0, where
        assert [row.seq for row in context.sync.entries(ascending=True) if row.result == "pending"] == [], where


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_killed_at_every_boundary(chunk: int, twins: Twins, tmp_path: Path, uncrashed: tuple[dict, list[str]]) -> None:
    expected, names = uncrashed
    assert len(names) > 60
    for at in range(1 + chunk, len(names) + 1, CHUNKS):
        world = fresh(twins, tmp_path / "w")
        if crash(world, at):  # two polls run at once: now and then a history has one boundary less
            check(world, expected, at, names)


@pytest.mark.parametrize(("again", "look"), [(4, None), (9, "plan"), (17, None), (30, "retry")])
def test_killed_twice_and_looked_at_in_between(
    again: int, look: Kind, twins: Twins, tmp_path: Path, uncrashed: tuple[dict, list[str]]
) -> None:
    expected, names = uncrashed
    for at in range(again, len(names) + 1, 4 * SAMPLE):
        world = fresh(twins, tmp_path / "w")
        if crash(world, at, again, look):
            check(world, expected, at, names)


@pytest.mark.parametrize("half", [0, 1])
def test_killed_at_a_sample_of_boundaries_on_postgres(
    half: int, twins: Twins, tmp_path: Path, postgres_uri: str, uncrashed: tuple[dict, list[str]]
) -> None:
    expected, names = uncrashed
    for at in range(1 + half * SAMPLE, len(names) + 1, 2 * SAMPLE):
        with schema(postgres_uri, f"killed_at_{at}") as database:
            world = fresh(twins, tmp_path / "w", database)
            if crash(world, at):
                check(world, expected, at, names)
