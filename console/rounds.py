"""`syncline plan` and `syncline sync`: one round, shown before it is done or told after."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from console.options import MOST, Json, Mapping, mapping_file
from syncline.errors import UsageError

if TYPE_CHECKING:
    from flows.round import Kind, Report


def plan(
    mapping: Mapping = None,
    run: Annotated[
        int | None, typer.Option(min=1, max=MOST, help="Show the kept plan of this run, as it waits for approval; asks nobody.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Show at most so many contacts under each heading.")] = 10,
    as_json: Json = False,
) -> int:
    """Show what a run would do, contact by contact and field by field. Writes nothing to either system."""
    file = mapping_file(mapping)
    return _fresh_plan(file, limit, as_json) if run is None else _kept_plan(file, run, limit, as_json)


def _fresh_plan(file: Path, limit: int, as_json: bool) -> int:
    from console.bars import bars
    from console.show import tried_again
    from console.show_plan import Shown, show
    from flows.round import planned_contacts, run_round
    from flows.settings import open_context

    context = open_context(file)
    try:
        with bars(quiet=as_json) as progress:
            report = run_round(context, "plan", progress=progress)
        planned = () if report.error else planned_contacts(context, report.run_id)
        if as_json or report.error is None:
            show(Shown(report.run_id, report.totals, tuple(report.trips), planned), str(file), limit, report.as_dict() if as_json else None)
        if report.paused.contacts and not as_json:
            typer.echo(f"Not in this plan: {tried_again(report.paused.contacts, report.paused.first_us)}")
    finally:
        context.close()
    return _end(report)


def _kept_plan(file: Path, run: int, limit: int, as_json: bool) -> int:
    from console.opener import open_sync
    from console.show_plan import Shown, show
    from syncline.guard import weigh

    with open_sync(file) as opened:
        if not opened.sync.plan_exists(run):
            raise UsageError(f"run {run} has no plan that waits; `syncline status {file}` shows which are kept")
        totals = opened.sync.plan_totals(run)
        trips = tuple(str(trip) for trip in weigh(totals, opened.mapping.policy.limits, opened.sync.linked_count()))
        planned = (each for _number, plans in opened.sync.plan_chunks(run) for each in plans)
        head = {"run": run, "planned": totals, "trips": list(trips), "exit_code": 0} if as_json else None
        show(Shown(run, totals, trips, planned), str(file), limit, head)
    return 0


def sync(
    mapping: Mapping = None,
    full: Annotated[
        bool, typer.Option("--full", help="List both sides whole: finds deletes and drift, looks at held contacts again.")
    ] = False,
    approve: Annotated[
        int | None, typer.Option(metavar="RUN", min=1, max=MOST, help="Let the plan of this run through although it exceeds limits.")
    ] = None,
    as_json: Json = False,
) -> int:
    """Run one round: poll both sides, reconcile, write only what must change."""
    from console import show
    from console.bars import bars
    from flows.round import run_round
    from flows.settings import open_context

    context = open_context(mapping_file(mapping))
    try:
        kind: Kind = "sweep" if full else "sync"
        with bars(quiet=as_json) as progress:
            report = run_round(context, kind, approve=approve, progress=progress)
    finally:
        context.close()
    if as_json:
        show.document(report.as_dict())
    elif report.run_id:
        summary(report.as_dict(), context.loaded.file)
    return _end(report)


def _end(report: Report) -> int:
    if report.error is not None:
        typer.echo(str(report.error), err=True)
    return report.exit_code


VERDICT = {
    "in_step": "In step.",
    "held": "In step, but for what waits for a person.",
    "failed": "Not finished.",
    "stopped": "Stopped by a guard; nothing was written.",
    "planned": "Planned; nothing was written.",
}
TOTALS = ("creates", "links", "updates", "archives", "overwrites", "blanks", "unsubscribes")


def summary(report: dict[str, Any], file: str) -> None:
    """A run in five seconds of reading: what was read, planned, done, what it cost, and what to do next."""
    from console.show import tried_again

    for side, seen in report["observed"].items():
        how = "all" if seen["full"] else "changes only"
        typer.echo(f"  {side:<10} read {seen['read']:,} ({how}), {seen['changed']:,} changed; {_calls(report['calls'].get(side, {}))}")
    if not report["observed"]:
        typer.echo("".join(f"  {side:<10} {_calls(made)}\n" for side, made in report["calls"].items()), nl=False)
    planned = ", ".join(f"{report['planned'][name]:,} {name}" for name in TOTALS if report["planned"].get(name))
    typer.echo(f"  planned    {planned or 'nothing to do'}")
    done = ", ".join(f"{count:,} {name}" for name, count in report["pushed"].items() if count)
    typer.echo(f"  written    {done or 'nothing'}")
    for warning in report["warnings"]:
        typer.echo(f"  note       {warning}")
    typer.echo(f"Run {report['run']}: {VERDICT[report['status']]}")
    if report["to_retry"]:
        typer.echo(f"Next: {tried_again(report['to_retry'], report['retry_at_us'])}: syncline sync {file}")
    if report["open_holds"]:
        typer.echo(f"Next: {report['open_holds']:,} wait with a reason: syncline status {file}")
    if report["pushed"]["moved"]:
        typer.echo(f"Next: {report['pushed']['moved']:,} changed under our hands and are decided anew: syncline sync {file}")


def _calls(made: dict[str, int]) -> str:
    total = sum(made.values())
    return f"{total:,} calls" + (f" ({', '.join(f'{count:,} {purpose}' for purpose, count in sorted(made.items()))})" if total else "")
