"""A second merge, by symbols and tables, written from the prose of the design and not from the kernel.

Symbols: `.` not shown, `0` null, `e` empty text, `a`, `b`, and `n`: what a side that shortens shows of `a`. L is the CRM, R is marketing;
R is the side that shortens. The answer is None (nothing to decide), "held", or (agreed symbol, symbol written at L, symbol written at R).
"""

from __future__ import annotations

from typing import NamedTuple

BLANK = "-"
ACTION = {
    # (do both show the same?, who moved since its own base; ? = no base)
    (True, ""): "quiet", (True, "L"): "agree", (True, "R"): "agree", (True, "LR"): "agree", (True, "?"): "agree",
    (False, ""): "quiet", (False, "L"): "L", (False, "R"): "R", (False, "LR"): "dispute", (False, "?"): "first",
}  # fmt: skip
NEWEST = {"left": "L", "right": "R", "equal": "tie", "absent": "tie"}
SETTINGS = {
    # name: (what happens in a dispute of two filled values, tie, does a blank count?)
    "prefer": ("L", "L", False), "newest": (NEWEST, "L", False), "newest_clear": (NEWEST, "R", True), "fill_blank": (NEWEST, "R", True),
    "furthest": ("rank", "L", False), "most_restrictive": ("consent", "L", False), "union": ("sets", "L", False),
    "hold": ("held", "L", False),
}  # fmt: skip
RANK = {BLANK: -1, "b": 0, "n": 1, "a": 2}
ELEMENTS = {BLANK: "", "n": "x", "b": "y", "a": "xy"}
SETS = {"": BLANK, "x": "n", "y": "b", "xy": "a"}


class Case(NamedTuple):
    setting: str
    direction: str
    order: str
    lossy: bool
    base_l: str
    base_r: str
    left: str
    right: str


def plain(symbol: str) -> str:
    return BLANK if symbol in "0e" else symbol


def answer(case: Case) -> str | tuple[str, str | None, str | None] | None:
    left, right, base = plain(case.left), plain(case.right), {"L": plain(case.base_l), "R": plain(case.base_r)}
    if "." in (left, right):
        return None
    moved = "?" if "." in base.values() else ("L" if base["L"] != left else "") + ("R" if base["R"] != right else "")
    action = ACTION[left == right, moved]
    if action == "quiet":
        return None
    if action == "agree":
        return (left, None, None)
    ruled = _ruled(case, action, moved, base, {"L": left, "R": right})
    if ruled is None or ruled == "held":
        return ruled
    at_l, at_r = ruled if len(ruled) == 2 else (ruled, ruled)
    agreed = at_r if len(ruled) == 2 and (case.order == "right" or at_l == BLANK) else at_l
    return (agreed, _write(case, "L", at_l, left), _write(case, "R", at_r, right))


def _write(case: Case, side: str, value: str, now: str) -> str | None:
    allowed = case.direction == "both" or case.direction == {"L": "to_crm", "R": "to_marketing"}[side]
    shows = "n" if case.lossy and side == "R" and value == "a" else value
    return value if allowed and now not in (value, shows) else None


def _ruled(case: Case, action: str, moved: str, base: dict[str, str], now: dict[str, str]) -> str | None:
    """One symbol for both sides, or two: what L gets and what R gets (a grant that is asked for)."""
    kind, tie, blank_counts = SETTINGS[case.setting]
    if kind == "consent":
        return _consent(case, moved, base, now)
    if case.direction != "both":
        source = now["L" if case.direction == "to_marketing" else "R"]
        return None if source == BLANK and not blank_counts else source
    if case.lossy and now == {"L": "a", "R": "n"}:
        return "a"
    if kind == "rank":
        back = moved == "R" and now["R"] != BLANK
        return now["R"] if back else max(now.values(), key=RANK.__getitem__)
    if kind == "sets":
        return _sets(base, now)
    if action in "LR":
        if now[action] == BLANK:
            return BLANK if blank_counts else None
        if not (case.lossy and action == "R" and now["L"] == "a"):
            return now[action]
    filled = [value for value in now.values() if value != BLANK]
    if len(filled) == 1 and (action == "first" or case.setting == "fill_blank" or (not blank_counts and kind != "held")):
        return filled[0]
    if kind == "held":
        return "held"
    winner = kind if isinstance(kind, str) else kind[case.order]
    return now[tie if winner == "tie" else winner]


def _consent(case: Case, moved: str, base: dict[str, str], now: dict[str, str]) -> str | None:
    """b: opted in, n: asked, a: opted out. A blank says nothing, but takes back no restriction either."""
    proved = {"left": "L", "right": "R"}.get(case.order)
    far = {"L": "R", "R": "L"}
    if proved is not None and proved in moved and now[proved] != BLANK:
        still = RANK[now[far[proved]]] <= RANK[base[far[proved]]] or now[far[proved]] == "n"
        if still and RANK[now[proved]] < max(RANK[base[proved]], RANK[now[far[proved]]]):
            return now["L"] + "n" if proved == "L" else "n" + now["R"]
    voices = ["a" if base[s] == "a" else now[s] if now[s] != BLANK else "n" if base[s] == "n" else BLANK for s in "LR"]
    loudest = max(voices, key=RANK.__getitem__)
    if loudest == "b" and case.order == "absent" and BLANK in now.values():
        return now["L"] + now["R"]  # nobody is subscribed by a word without proof
    return None if loudest == BLANK else loudest


def _sets(base: dict[str, str], now: dict[str, str]) -> str:
    removed = {e for s in "LR" if base[s] != "." and now[s] != BLANK for e in ELEMENTS[base[s]] if e not in ELEMENTS[now[s]]}
    kept = {e for s in "LR" for e in ELEMENTS[now[s]]} - removed
    return SETS["".join(sorted(kept))]
