"""What befalls the engine between its rounds: its operator's yes, faults, permissions, an edited mapping, backups that come back."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.round import Report
from syncline.errors import CursorRegressed, GuardTripped
from tests.simulation.port import Fault

if TYPE_CHECKING:
    from tests.simulation.world import World

Step = Mapping[str, Any]
S = 1_000_000


def asks(report: Report) -> bool:
    """Whether the round waits for a yes: not when a side was empty, where an operator first looks what has happened there."""
    return isinstance(report.error, CursorRegressed) or (isinstance(report.error, GuardTripped) and bool(report.trips))


def approve(world: World, step: Step) -> None:
    """The operator says yes to whatever the last round asked, unless it is overtaken and nothing waits any more.

    Or, being slow, to the first of all that wait.
    """
    if step.get("oldest"):
        waiting = [run for run in world.engine().sync.planned_runs() if _is_kept(world, run)]
        if waiting:
            world.injected["late yes"] += 1
            world.round("sync", approve=waiting[0])
    elif world.reports and asks(world.reports[-1]) and not (world.overtaken and not _waits(world, world.reports[-1])):
        world.round("sync", approve=world.reports[-1].run_id)


def _waits(world: World, report: Report) -> bool:
    if isinstance(report.error, CursorRegressed):
        return True
    return _is_kept(world, report.run_id) and world.engine().sync.plan_exists(report.run_id)


def _is_kept(world: World, run_id: int) -> bool:
    """Whether that run waits for a yes under the mapping as it is."""
    run = world.engine().sync.run(run_id)
    return run is not None and run.status == "stopped" and run.mapping_version == world.engine().mapping.version


def wait(world: World, step: Step) -> None:
    world.now_us += step["s"] * S


def fault(world: World, step: Step) -> None:
    world.faults[step["side"]].append(Fault(step["op"], step["kind"], step["calls"]))


def hide(world: World, step: Step) -> None:
    """A permission for one field is lost, or comes back."""
    world.happened("permission lost")
    world.hidden[step["side"]] ^= {step["field"]}


def remap(world: World, step: Step) -> None:
    world.injected["mapping edited"] += 1
    world.overtaken = True
    world.drop_context()
    world.variant = step["variant"]


def back_up(world: World, step: Step) -> None:
    world.vendors[step["side"]].back_up()


def go_back(world: World, step: Step) -> None:
    vendor = world.vendors[step["side"]]
    if vendor.backup and not vendor.merged_since_backup():
        world.happened("vendor restored")
        vendor.restore_backup()


def save(world: World, step: Step) -> None:
    """A copy of a database that was closed in good order: after a crash, half of it is still in its write-ahead log."""
    world.engine()
    world.drop_context()
    shutil.copy(world.database, world.folder / "yesterday")
    world.saved_us = world.now_us


def yesterday(world: World, step: Step) -> None:
    """The engine's database as it was when it was last saved; its log of what came after is gone with it."""
    if (world.folder / "yesterday").exists():
        world.happened("database restored")
        world.overtaken = True
        world.old_logs.append(world.log_text())
        world.drop_context()
        for end in ("-wal", "-shm"):
            Path(f"{world.database}{end}").unlink(missing_ok=True)
        shutil.copy(world.folder / "yesterday", world.database)
        world.restored_database = True
        world.lost.append((world.saved_us, world.now_us))
        for vendor in world.vendors.values():
            vendor.last_shown.clear()
            vendor.looks.clear()
            vendor.first_shown = {ref: at_us for ref, at_us in vendor.first_shown.items() if at_us <= world.saved_us}


STEPS: Mapping[str, Callable[[World, Step], None]] = {
    step.__name__: step for step in (approve, wait, fault, hide, remap, back_up, go_back, save, yesterday)
}
