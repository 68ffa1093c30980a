"""Only consent: every interleaving of what people can do to it on two sides, and of rounds, to a depth; states that look alike are one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from kernel_modules import Kernel
from native import CONSENT, ORDER, mapping
from world import FAR, SIDES, World

WORDS = {"crm": CONSENT["full"], "marketing": CONSENT["marketing"]}
EVENTS: dict[str, tuple[str, Any, bool]] = {
    # name: (side, what it shows from now on, with proof?)
    "opts out in the CRM": ("crm", "out", False),
    "opts out in marketing": ("marketing", "unsub", False),
    "agrees in the CRM, with proof": ("crm", "in", True),
    "agrees in marketing, with proof": ("marketing", "sub", True),
    "is imported into the CRM": ("crm", "in", False),
    "is imported into marketing": ("marketing", "sub", False),
    "is blanked in the CRM": ("crm", None, False),
    "bounces": ("marketing", "cleaned", False),
    "is not said in the CRM": ("crm", "none", False),
}


class Step(NamedTuple):
    world: World
    out_us: int
    """When the newest opt-out that a round has seen was made; 0 for none."""
    path: tuple[str, ...]


def start(k: Kernel, crm: Any, marketing: Any) -> Step:
    world = World(k, mapping(k, ("email", "consent"), crm="full"))
    for side, word in (("crm", crm), ("marketing", marketing)):
        world.add(side, side, email="ann@people.example", consent=word)
    return _round(Step(world, 0, ()))


def explore(k: Kernel, depth: int) -> int:
    """Check every round on every path of `depth` events; the number of different states seen."""
    seen: set[Any] = set()
    frontier = [
        start(k, crm, marketing)
        for crm, marketing in (("in", "sub"), ("none", "sub"), ("out", "unsub"), ("none", "asked"), ("in", "cleaned"))
    ]
    for _ in range(depth):
        fresh = []
        for moved in (moved for step in frontier for moved in _moves(step)):
            if _new(seen, moved):
                rounded = _round(moved)
                fresh += [moved, rounded] if _new(seen, rounded) else [moved]
        frontier = fresh
    return len(seen)


def _new(seen: set[Any], step: Step) -> bool:
    before = len(seen)
    seen.add(_look(step))
    return len(seen) > before


def _moves(step: Step) -> Iterator[Step]:
    for name, (side, word, proof) in EVENTS.items():
        if step.world.vendors[side][side].fields["consent"] != word or proof:
            world = step.world.clone()
            world.edit(side, side, proof, consent=word)
            yield Step(world, step.out_us, (*step.path, name))


def _look(step: Step) -> Any:
    """What the future depends on: values, and times by their order alone."""
    world, kept = step.world, step.world.contacts[1]
    records = [world.vendors[side][side] for side in SIDES]
    proofs = [record.proof.at_us if record.proof else 0 for record in records]
    times = [step.out_us, kept.agreed_us.get("consent", 0), *proofs, *(record.modified_us for record in records)]
    ranks = sorted(set(times))
    shadows = [(kept.shadows.get(side) or {}).get("consent") for side in SIDES]
    return (*(record.fields["consent"] for record in records), *shadows, kept.view.get("consent"), *(ranks.index(at) for at in times))


def _round(step: Step) -> Step:
    """Run until quiet, and judge every write and the end."""
    world = step.world.clone()
    shown = {side: world.vendors[side][side] for side in SIDES}
    words = {side: WORDS[side].get(record.fields["consent"], "unknown") for side, record in shown.items()}
    out_us = max(
        [step.out_us, *(record.modified_us for side, record in shown.items() if words[side] == "opted_out" and _fresh(world, side))]
    )
    if set(words.values()) == {"opted_in"}:
        out_us = 0  # both sides were told, each by itself: the engine has nothing to write, and nothing to defend
    proof_us = max((record.proof.at_us for record in shown.values() if record.proof), default=0)
    world.pushed.clear()
    world.until_quiet(4)
    for write, before in world.pushed:
        _judge(write, before, out_us, proof_us, step.path)
    after = {side: WORDS[side].get(world.vendors[side][side].fields["consent"], "unknown") for side in SIDES}
    if out_us > proof_us:
        assert "opted_in" not in after.values(), f"{step.path}: {after}"
        assert set(after.values()) & {"opted_out"} or not world.contacts[1].view, f"{step.path}: {after}"
    folded = world.k.log.fold(world.log)[1]
    assert folded.view == world.contacts[1].view, step.path
    return Step(world, out_us, (*step.path, "round"))


def _fresh(world: World, side: str) -> bool:
    """Whether this opt-out was made on this side itself, and is not the engine's own copy of it."""
    kept = world.contacts.get(1)
    return kept is None or (kept.shadows.get(side) or {}).get("consent") != world.vendors[side][side].fields["consent"]


def _judge(write: Any, before: dict[str, Any], out_us: int, proof_us: int, path: tuple[str, ...]) -> None:
    """I11: wider than what is shown only with proof newer than the opt-out; and marketing is never subscribed, only asked."""
    if "consent" not in write.consent:
        return
    words = WORDS[write.side]
    new, old = words.get(write.consent["consent"], "unknown"), words.get(before["consent"], "unknown")
    place = {word: rank for rank, word in enumerate(ORDER)}
    if old in place and place.get(new, -1) < place[old]:
        assert proof_us > out_us, f"{path}: {FAR[write.side]} widened {old} to {new}"
    assert write.side == "crm" or new != "opted_in", f"{path}: subscribed again"
    if new == "opted_in":
        assert out_us == 0 or proof_us > out_us, f"{path}: {old} became {new}"
