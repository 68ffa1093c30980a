"""A seed becomes a history: a set-up and 30 to 200 steps, plain JSON. Making it is apart from playing it, so that it can be shortened."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from syncline.records import SIDES
from tests.simulation.habits import choose
from tests.simulation.mapping import VARIANTS
from tests.simulation.port import FAULTS
from tests.simulation.profiles import PAIRS, PROFILES, TEXTS

Step = dict[str, Any]
SEEDS = Path(__file__).parent / "seeds"
CONSENTS = ("out", "out", "in", "asked", "bounced", "silent")
WORDY = 0.4
"""How many of the CRMs like HubSpot have a word for those who agreed."""

TIGHT, LATE = 0.25, 0.5
"""How many histories have the tightest limits, and of how many yeses the first plan that waits is meant instead of the last."""

PLAIN = (*TEXTS, "phone", "birthday")


@dataclass(frozen=True, slots=True)
class History:
    """`seed` also feeds what is drawn while it is played."""

    seed: str
    setup: Mapping[str, Any]
    steps: tuple[Step, ...]

    def text(self) -> str:
        steps = ",\n  ".join(json.dumps(step) for step in self.steps)
        return f'{{"seed": {json.dumps(self.seed)},\n "setup": {json.dumps(self.setup)},\n "steps": [\n  {steps}\n ]}}\n'


def read(path: Path) -> History:
    data = json.loads(path.read_text(encoding="utf-8"))
    return History(data["seed"], data["setup"], tuple(data["steps"]))


def generate(seed: int | str) -> History:
    """The history of this seed."""
    made = _Maker(random.Random(f"history:{seed}"))
    if made.setup["crm"]["profile"] == "hub" and random.Random(f"words:{seed}").random() < WORDY:
        made.setup["crm"]["profile"] = "list"
    late = random.Random(f"approvals:{seed}")
    if late.random() < TIGHT:
        made.setup["tight"] = True
    return History(str(seed), made.setup, tuple(_approved(made.steps(), late, "tight" in made.setup)))


def _approved(steps: Iterable[Step], rng: random.Random, tight: bool) -> Iterator[Step]:
    """The operator may be slow, and many a round has asked by then. Where nearly every one asks, there are more yeses."""
    for step in steps:
        slow = rng.random() < LATE
        yield {**step, "oldest": True} if step["do"] == "approve" and slow else step
        if tight and slow and step["do"] == "round" and rng.random() < LATE:
            yield {"do": "approve", "oldest": True}


class _Maker:
    """Draws steps. Every edit gets a number of its own, by which its value is known for ever."""

    def __init__(self, rng: random.Random) -> None:
        self.rng, self.number = rng, 0
        pair = rng.choice(PAIRS)
        self.setup: dict[str, Any] = {"variant": rng.randrange(VARIANTS)}
        for side, profile in zip(SIDES, pair, strict=True):
            self.setup[side] = {"profile": profile, "habits": choose(rng), "offset_s": rng.choice((0, 0, -420, 90, 300))}
        self.people = rng.randint(2, 9)
        # Some histories are calm and some are wild, so that rare things also happen alone.
        self.trouble = rng.choice((0.0, 0.3, 1.0, 2.0))
        self.life = rng.choice((0.2, 1.0, 2.0))
        self.disaster = rng.choice((0.0, 0.0, 0.0, 1.0))

    def steps(self) -> list[Step]:
        length = round(math.exp(self.rng.uniform(math.log(30), math.log(200))))
        steps: list[Step] = []
        for who in range(self.people):
            for side in SIDES:
                if self.rng.random() < 0.6:
                    steps.append(self.create(side, who))
        steps.append({"do": "round", "kind": "sync"})
        while len(steps) < length:
            steps += self.some()
        return steps

    def some(self) -> list[Step]:
        """A few steps that belong together."""
        rng = self.rng
        weights: dict[str, float] = {
            "act": 10, "round": 2.0, "wait": 1.5, "approve": 0.5, "mid": 1.5, "fault": 1.5 * self.trouble, "crash": 0.5 * self.trouble,
            "rival": 0.3 * self.trouble, "hide": 0.2 * self.trouble, "remap": 0.15 * self.disaster, "back_up": 0.5 * self.disaster,
            "save": 0.5 * self.disaster,
        }  # fmt: skip
        kind = rng.choices(list(weights), list(weights.values()))[0]
        return getattr(self, f"_{kind}")()

    # ---- people

    def _n(self) -> int:
        self.number += 1
        return self.number

    def _act(self) -> list[Step]:
        return [self.act()]

    def act(self) -> Step:
        rng = self.rng
        weights: dict[str, float] = {
            "create": 1.0, "edit": 6, "blank": 0.7, "tag": 1.2, "consent": 1.5, "stage": 1.0, "address": 0.7, "delete": 0.5 * self.life,
            "undelete": 0.4 * self.life, "merge": 0.4 * self.life, "convert": 0.1 * self.life,
        }  # fmt: skip
        kind = rng.choices(list(weights), list(weights.values()))[0]
        side, who = rng.choice(SIDES), rng.randrange(self.people)
        return {"side": side, "who": who, **getattr(self, f"draw_{kind}")()}

    def create(self, side: str, who: int) -> Step:
        return {"side": side, "who": who, **self.draw_create()}

    def draw_create(self) -> Step:
        fields = [[field, self._n()] for field in PLAIN if self.rng.random() < 0.4]
        return {"do": "create", "fields": fields, "consent": self.rng.choice(("silent", "silent", "in", "out"))}

    def draw_edit(self) -> Step:
        fields = self.rng.sample(PLAIN, self.rng.choice((1, 1, 1, 2, 3)))
        bad = -1 if self.rng.random() < 0.05 else 1
        return {"do": "edit", "fields": [[field, bad * self._n() if field == "phone" else self._n()] for field in fields]}

    def draw_stage(self) -> Step:
        return {"do": "edit", "fields": [["stage", self.rng.choice((0, 1, 2, 3, 3, -1))]]}

    def draw_blank(self) -> Step:
        return {"do": "blank", "field": self.rng.choice((*PLAIN, "tags", "note", "note"))}

    def draw_tag(self) -> Step:
        return {"do": "tag", "n": self._n() if self.rng.random() < 0.7 else -1}

    def draw_consent(self) -> Step:
        return {"do": "consent", "to": self.rng.choice(CONSENTS), "proof": self.rng.random() < 0.6}

    def draw_address(self) -> Step:
        return {"do": "address", "n": self._n() if self.rng.random() < 0.8 else -self.rng.randrange(1, self.people + 1)}

    def draw_delete(self) -> Step:
        return {"do": "delete", "for_good": self.rng.random() < 0.5}

    def draw_undelete(self) -> Step:
        return {"do": "undelete"}

    def draw_merge(self) -> Step:
        return {"do": "merge", "loser": self.rng.randrange(self.people)}

    def draw_convert(self) -> Step:
        return {"do": "convert"}

    # ---- the engine, its operator, and what befalls it

    def _round(self) -> list[Step]:
        return [{"do": "round", "kind": self.rng.choices(("sync", "sweep", "retry"), (8, 2, 1))[0]}]

    def _wait(self) -> list[Step]:
        return [{"do": "wait", "s": self.rng.choice((5, 30, 60, 300, 300, 1000, 4000, 30_000))}]

    def _approve(self) -> list[Step]:
        return [{"do": "approve"}]

    def _mid(self) -> list[Step]:
        acts = [{"do": "mid", "calls": self.rng.randint(1, 12), "step": self.act()} for _ in range(self.rng.choice((1, 1, 2, 3)))]
        return [*acts, *self._round()]

    def _fault(self) -> list[Step]:
        side, op = self.rng.choice(SIDES), self.rng.choices(tuple(FAULTS), (4, 2, 1, 5, 0.5))[0]
        fault = {"do": "fault", "side": side, "op": op, "kind": self.rng.choice(FAULTS[op]), "calls": self.rng.choice((0, 0, 0, 1, 2))}
        return [fault, *(self._round() if self.rng.random() < 0.7 else ())]

    def _crash(self) -> list[Step]:
        crash = {"do": "crash", "calls": self.rng.randint(1, 12), "moment": self.rng.choice(("before", "after"))}
        return [crash, *self._round(), {"do": "wait", "s": self.rng.choice((10, 1000))}]

    def _rival(self) -> list[Step]:
        return [{"do": "rival", "calls": self.rng.randint(1, 12), "leap": self.rng.random() < 0.6}, *self._round()]

    def _hide(self) -> list[Step]:
        side, field = self.rng.choice(SIDES), self.rng.choice((*PLAIN, "tags", "consent"))
        lost: Step = {"do": "hide", "side": side, "field": field}
        return [lost, *self._round(), self.act(), *self._round(), lost]

    def _remap(self) -> list[Step]:
        return [{"do": "remap", "variant": self.rng.randrange(VARIANTS)}]

    def _back_up(self) -> list[Step]:
        side = self.rng.choice(SIDES)
        between = [step for _ in range(self.rng.randint(1, 4)) for step in (self.act(), *self._round())]
        return [{"do": "back_up", "side": side}, *between, {"do": "go_back", "side": side}]

    def _save(self) -> list[Step]:
        between = [step for _ in range(self.rng.randint(1, 4)) for step in (self.act(), *self._round())]
        return [{"do": "save"}, *between, {"do": "yesterday"}]


def profiles(history: History) -> tuple[str, str]:
    crm, marketing = (PROFILES[history.setup[side]["profile"]].name for side in SIDES)
    return crm, marketing
