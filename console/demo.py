"""The demo: two messy systems brought in step through the real Prefect flows, disturbed on purpose, and judged by an oracle of its own.

It ends with one line, computed from what the two systems truly hold. Anything that differs without a stated reason is printed, and the
demo fails.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from console import demo_world, rounds, show
from console.demo_edits import Edit, act, candidates
from console.demo_oracle import Verdict, judge, refusals
from console.opener import Opened, open_sync
from console.show_log import brief, story
from syncline.errors import UsageError

if TYPE_CHECKING:
    from sandbox.handles import Twins

MAPPING = "mapping.yaml"
ROUNDS = 4
NEEDED = 9
"""People that the edits need."""

CHANGES = frozenset({"create", "link", "change", "rebind", "merge", "delete", "archive", "restore", "unlink", "revive"})


@dataclass(slots=True)
class Story:
    """What was seen, for `--json`; `say` prints it for people as it happens."""

    quiet: bool
    runs: list[dict[str, Any]] = field(default_factory=list)
    edits: list[dict[str, Any]] = field(default_factory=list)

    def say(self, text: str) -> None:
        if not self.quiet:
            typer.echo(text)

    def heading(self, text: str) -> None:
        if not self.quiet:
            show.heading(text)


def show_demo(contacts: int, seed: int, *, as_json: bool) -> int:
    """Run it all; 0 when everything is in step or waits with a reason."""
    from sandbox.serve import start_twins

    folder, told = demo_world.make_folder(), Story(as_json)
    told.heading(f"Two systems, {contacts} invented people, seed {seed}")
    with start_twins(contacts, seed) as twins, demo_world.surroundings(folder, twins.env()):
        told.say(f"  CRM {twins.hubspot.url}: {_live(twins.hubspot)} people; marketing {twins.mailchimp.url}: {_live(twins.mailchimp)}")
        verdict, edits = _play(twins, told)
        return _end(folder, verdict, edits, told)


def _live(twin: Any) -> int:
    return sum(row["state"] == "live" for row in twin.records())


def _play(twins: Twins, told: Story) -> tuple[Verdict, list[Edit]]:
    refused = refusals(*_truth(twins))
    told.heading("First run (Prefect flow sync-contacts; its server takes a moment to start)")
    _first(told)
    _until_quiet(told)
    people = candidates(twins)
    if len(people) < NEEDED:
        raise UsageError(f"the demo needs {NEEDED} people it can edit and found {len(people)}; give it more with --contacts")
    told.heading("People edit both systems")
    with open_sync(MAPPING) as opened:
        mark = opened.sync.status().log_size
        edits = list(act(twins, people))
        refused |= refusals(*_truth(twins))
        ids = {crm_id: opened.sync.contact_by("crm", crm_id) for edit in edits for crm_id in edit.crm_ids}
    told.say(f"  {len(edits)} edits made; now: sync until quiet, then a sweep of everything")
    _until_quiet(told)
    _run(told, "sweep")
    _until_quiet(told)
    told.heading("What was done, and how the change log answers")
    with open_sync(MAPPING) as opened:
        for edit in edits:
            _answer(opened, edit, [ids[crm_id] for crm_id in edit.crm_ids], mark, told)
        blanked = frozenset(edit.blanked for edit in edits if edit.blanked)
        return judge(*_truth(twins), _held(opened), blanked, refused), edits


def _truth(twins: Twins) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What both systems hold, whatever their APIs would show."""
    return twins.hubspot.records(), twins.mailchimp.records()


def _first(told: Story) -> None:
    """The first run overwrites more than the mapping allows: it stops, a person looks, and lets exactly that plan through."""
    report = _run(told, "sync")
    if report["trips"]:
        told.say(f"  It stopped before its first write: {'; '.join(report['trips'])}.")
        told.say(f"  An admin looks (syncline plan --run {report['run']}) and lets it through (syncline sync --approve {report['run']})")
        _run(told, "sync", approve=report["run"])


def _until_quiet(told: Story) -> None:
    """Rounds until one writes nothing, at most ROUNDS."""
    for _ in range(ROUNDS):
        if not any(_run(told, "sync")["pushed"].values()):
            return


def _run(told: Story, kind: str, approve: int | None = None) -> dict[str, Any]:
    """One run of the real flow. Raises its error, but for a stop at the guard."""
    from flows.sweep import sweep
    from flows.sync_contacts import sync_contacts

    report: dict[str, Any] = sweep(mapping=MAPPING) if kind == "sweep" else sync_contacts(mapping=MAPPING, approve=approve)
    told.runs.append(report)
    if not told.quiet:
        rounds.summary({**report, "warnings": []}, f"{demo_world.FOLDER}/{MAPPING}")
    return report


def _answer(opened: Opened, edit: Edit, contact_ids: list[int | None], mark: int, told: Story) -> None:
    """What was done, and the lines of the log since then that concern it."""
    rows = [row for i in contact_ids if i is not None for row in story(opened.sync.entries(contact_id=i)) if row.seq > mark]
    rows = sorted((row for row in rows if not edit.fields or row.entry.field in edit.fields), key=lambda row: row.seq)
    lines = [brief(row) for row in rows]
    told.edits.append({"edit": edit.title, "done": edit.done, "log": lines, "note": edit.quiet})
    told.heading(edit.title)
    told.say(f"  {edit.done}")
    for text in lines or [edit.quiet or "no entry"]:
        told.say(f"    {text}")


def _held(opened: Opened) -> Callable[[str, str], bool]:
    """Whether a CRM record's field waits with a reason: the one thing the oracle is told by us, and only to count it."""
    holds = {(hold.contact_id, hold.field) for hold in opened.sync.holds() if hold.contact_id is not None}
    alone = {(hold.side, hold.ref) for hold in opened.sync.holds() if hold.contact_id is None}

    def held(crm_id: str, name: str) -> bool:
        return (opened.sync.contact_by("crm", crm_id), name) in holds or ("crm", crm_id) in alone

    return held


def _end(folder: Path, verdict: Verdict, edits: list[Edit], told: Story) -> int:
    """The verdict in one line."""
    with open_sync(MAPPING) as opened:
        kinds = Counter(row.entry.kind for row in opened.sync.entries())
        held = sum(opened.sync.status().holds.values())
        proof = opened.sync.verify(opened.checkpoints())
    changes = sum(count for kind, count in kinds.items() if kind in CHANGES)
    good = proof.ok and not verdict.unexplained
    verdict_line = (
        f"{'IN STEP' if good else 'OUT OF STEP'}: {verdict.contacts} contacts, {len(verdict.unexplained)} fields differ, "
        f"{held} held with a reason, {changes} changes logged, log {'verified' if proof.ok else 'BROKEN'}"
    )
    if told.quiet:
        show.document({
            "line": verdict_line, "in_step": good, "contacts": verdict.contacts, "held": held, "changes_logged": changes,
            "log_verified": proof.ok,
            "unexplained": [str(each) for each in verdict.unexplained], "explained": [str(each) for each in verdict.held],
            "blanks_left": verdict.left_blank, "edits": told.edits, "runs": told.runs, "folder": str(folder),
        })  # fmt: skip
        return 0 if good else 1
    told.heading("The verdict, from what both systems truly hold")
    for each in verdict.unexplained:
        told.say(f"  not explained: {each}")
    for problem in proof.problems:
        told.say(f"  log: {problem}")
    told.say(f"  look around: syncline --project {demo_world.FOLDER} status | log | verify | explain EMAIL")
    told.say(verdict_line)
    return 0 if good else 1
