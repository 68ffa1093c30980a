"""python -m tests.prove [--minutes M] [--seed S] [--json]: every promise, for so long, on all cores; one table. `make prove MINUTES=n`.

The simulator plays histories from a fixed seed and from a fresh one, the model is searched and its paths are walked by the engine, programs
die at every boundary of scripted histories, and faults are put into the engine, each of which must be noticed. Ends with 1 when anything is
not as it should be; what to do next stands above the table.
"""

from __future__ import annotations

import argparse
import json
import secrets
import subprocess
import sys
import time
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

FIXED_SEED = 1
PROMISES = {
    "I1": "both sides come to show the same, or the difference waits with a reason",
    "I2": "no edit is lost: it is in a system, or in the log with what overrode it",
    "I3": "nothing is invented",
    "I4": "nobody who was removed comes back",
    "I5": "it comes to rest",
    "I7": "where nothing happened, nothing is written",
    "I9": "one person has one record a side",
    "I10": "links change only by merges, deletes, or people",
    "I11": "nobody is subscribed who said no",
    "I14": "every write has its entry, and the log folds to the tables",
    "I15": "a changed log shows, and of an erased person nothing is left (one history in eight)",
    "I16": "no call too many, where nothing goes wrong",
    "I17": "a write changes something",
    "I18": "no cursor passes a change",
    "I19": "what is known never gets older",
    "I20": "no run does more harm than its limits allow",
    "I21": "what counts as agreed was shown",
    "I22": "nothing waits for ever",
    "I-lease": "two engines never write at once",
    "no-crash": "no history ends in a traceback",
    "no-surprise": "nothing is damaged, and no mapping is unusable",
}
"""What the simulator asks after every history, by the names that its judge gives."""


class Part(NamedTuple):
    """One command and its share of the time. `whole_from`: given so many minutes or more, it is not cut short."""

    name: str
    module: str
    share: float
    more: tuple[str, ...] = ()
    whole_from: float = float("inf")


PARTS = (
    Part("simulated, fixed", "tests.simulation", 0.25, ("--seed", str(FIXED_SEED), "--jobs", "0")),
    Part("simulated, fresh", "tests.simulation", 0.35, ("--seed", "FRESH", "--jobs", "0")),
    Part("model", "tests.model", 0.1, ("--seed", "FRESH", "--jobs", "0")),
    Part("crashes", "tests.crashes", 0.2, ("--seed", "FRESH", "--histories", "5000", "--pairs", "12", "--jobs", "0")),
    Part("faults", "tests.mutants", 0.1, ("--jobs", "0"), whole_from=10),
)


def run(part: Part, minutes: float, fresh: int) -> tuple[int, dict[str, Any]]:
    """(exit code, figures) of one command; its progress is shown as it goes."""
    words = [str(fresh) if word == "FRESH" else word for word in part.more]
    time_for_it = () if minutes >= part.whole_from else ("--minutes", f"{minutes * part.share:.3f}")
    command = [sys.executable, "-m", part.module, *words, *time_for_it, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    last = done.stdout.strip().splitlines()[-1:]
    if not last:
        raise SystemExit(f"{' '.join(command[1:])} said nothing and ended with {done.returncode}")
    return done.returncode, json.loads(last[0])


def table(told: dict[str, dict[str, Any]], seconds: float) -> Table:
    """Promise × histories × faults injected × violations × slowest to converge."""
    shown = Table(
        "", "promise", "histories", "faults injected", "violations", "slowest to converge", title=f"proof, {seconds / 60:.1f} min"
    )
    played = [told["simulated, fixed"], told["simulated, fresh"]]
    histories = sum(one["histories"] for one in played)
    faults = sum(sum(one["faults"].values()) for one in played)
    slowest = max(one["slowest_to_settle_rounds"] for one in played)
    for name, promise in PROMISES.items():
        broken = sum(one["violations"].get(name, 0) for one in played)
        shown.add_row(name, promise, f"{histories:,}", f"{faults:,}", str(broken), f"{slowest} rounds")
    crashes, model, mutants = told["crashes"], told["model"], told["faults"]
    deaths = crashes["points"] + crashes["pairs"]
    shown.add_row(
        "I8", "whenever it dies, it ends the same", f"{crashes['histories']:,}", f"{deaths:,}", str(len(crashes["violations"])), ""
    )
    shown.add_row(
        "model",
        "I1, I2, I4, I9, I11 in every state",
        f"{model['paths']:,} paths",
        f"{model['states']:,} states",
        str(len(model["broken"])),
        "",
    )
    survived = len(mutants["survived"])
    shown.add_row("faults", "a faulty engine is noticed", "", f"{mutants['tried']:,} of {mutants['faults']:,}", f"{survived} survived", "")
    return shown


def main() -> int:
    """0 when every promise held and every fault was noticed."""
    parser = argparse.ArgumentParser(prog="python -m tests.prove", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="from ten on, all faults are tried, however long that takes")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**9), help="in place of the fresh one")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    console, began = Console(stderr=options.json), time.monotonic()
    told: dict[str, dict[str, Any]] = {}
    worst = 0
    for part in PARTS:
        console.rule(f"{part.name}, fresh seed {options.seed}")
        code, told[part.name] = run(part, options.minutes, options.seed)
        worst = max(worst, code)
    console.print(table(told, time.monotonic() - began))
    console.print(f"seeds: fixed {FIXED_SEED}, fresh {options.seed} (again: --seed {options.seed})", highlight=False)
    if options.json:
        print(json.dumps(told))
    return min(worst, 1)


if __name__ == "__main__":
    sys.exit(main())
