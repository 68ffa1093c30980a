"""The benchmark's machinery on 200 contacts: what is written, how many calls that takes, and that both sides agree. No timing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from benchmarks import report
from benchmarks.engine import MAPPING
from benchmarks.goals import Goal, Result, goals_of, result_of
from benchmarks.measure import ROOT, Cost, cost
from benchmarks.people import PROPERTIES
from benchmarks.workloads import WORKLOADS, Bench, Sample
from benchmarks.world import Calls, World
from mappings.load import load
from sandbox.serve import start_twins
from sandbox.wire import Reply, Request, Route

pytestmark = pytest.mark.xdist_group("benchmarks")  # the workloads run once for all of these tests

SIZE = 200
LISTING_ENDS = 5
"""Calls by which full listings end: the archived of both sides, and what changed while they were listed. Nothing beside many pages."""


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Sample]]:
    """Every workload once, in the order of a round."""
    with start_twins(rate=False, apart=True) as twins:
        world = World(twins, SIZE)
        world.fill_crm()
        bench = Bench(world, tmp_path_factory.mktemp("bench"))
        yield {name: workload(bench) for name, workload in WORKLOADS.items()}


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_workload_leaves_both_sides_alike(samples: dict[str, Sample], name: str) -> None:
    assert samples[name].problems == ()


@pytest.mark.parametrize(("name", "writes"), [("W0", 0), ("W1", 1), ("W2", 1), ("W3", 1), ("W4", 0)])
def test_writes_go_in_whole_batches(samples: dict[str, Sample], name: str, writes: int) -> None:
    assert samples[name].calls.write == writes


@pytest.mark.parametrize("name", WORKLOADS)
def test_calls_are_the_fewest_that_pages_and_batches_allow(samples: dict[str, Sample], name: str) -> None:
    sample = samples[name]
    ends = LISTING_ENDS if name in ("W1", "W2", "W4") else 0
    assert sample.bound <= sample.calls.total <= sample.bound + ends
    assert sample.calls.recheck <= sample.calls.write


def test_a_run_over_its_own_echoes_polls_each_side_once_and_writes_nothing(samples: dict[str, Sample]) -> None:
    again = samples["W3"].again
    assert again is not None
    assert (again.read, again.recheck, again.write) == (2, 0, 0)


def test_costs_are_those_of_the_measured_processes(samples: dict[str, Sample]) -> None:
    for sample in samples.values():
        assert 0 < sample.engine.work_s < sample.engine.cpu_s
        assert sample.engine.peak_mb > sample.floor.peak_mb


def test_people_that_differ_are_seen(tmp_path: Path) -> None:
    with start_twins(rate=False) as twins:
        world = World(twins, SIZE)
        world.fill_crm()
        world.fill_audience()
        assert world.differing() == 0
        assert world.edit_members("Elsewhere") == 2
        assert world.differing() == 2
        twins.mailchimp.edit("delete", email="person0000001@people.example")
        assert world.differing() == 3


def a_result(**changes: object) -> Result:
    values = {
        "workload": "W1", "size": 100_000, "rounds": 1, "ratio": 1.9,
        "floor_s": 10.0, "engine_s": 19.0, "floor_whole_s": 10.1, "engine_whole_s": 19.9,
        "floor_mb": 60.0, "engine_mb": 90.0, "calls": 1_204, "bound": 1_201, "setup": 3, "again_calls": None, "again_writes": None,
        "problems": (),
    }  # fmt: skip
    return Result(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"ratio": 2.01}, {"workload": "W4", "ratio": 1.21}, {"calls": 1_262}, {"engine_mb": 121.0}, {"problems": ("one",)},
        {"workload": "W3", "again_calls": 6, "again_writes": 1}, {"workload": "W3", "again_calls": 7, "again_writes": 0},
    ],
)  # fmt: skip
def test_each_goal_can_be_missed(changes: dict[str, object]) -> None:
    assert all(goal.met for goal in goals_of(a_result()))
    assert [goal.met for goal in goals_of(a_result(**changes))].count(False) == 1


def test_start_up_counts_in_w0_and_nowhere_else(samples: dict[str, Sample]) -> None:
    start, load = (result_of(SIZE, [samples[name]]) for name in ("W0", "W1"))
    assert (start.engine_s, start.floor_s) == (samples["W0"].engine.cpu_s, samples["W0"].floor.cpu_s)
    assert (load.engine_s, load.floor_s) == (samples["W1"].engine.work_s, samples["W1"].floor.work_s)
    assert (load.engine_whole_s, load.floor_whole_s) == (samples["W1"].engine.cpu_s, samples["W1"].floor.cpu_s)


def test_the_ratio_is_the_middle_one_of_the_rounds() -> None:
    rounds = [(1.0, 3.0), (2.0, 3.0), (1.0, 2.0)]
    costs = [[Cost(0, {"work_s": seconds, "peak_mb": 1}) for seconds in pair] for pair in rounds]
    result = result_of(SIZE, [Sample("W1", floor, engine, Calls(), 1) for floor, engine in costs])
    assert (result.ratio, result.floor_s, result.engine_s) == (2.0, 1.0, 2.0)


def test_late_imports_are_no_work(tmp_path: Path) -> None:
    burn = "import time\nuntil = time.thread_time() + 0.03\nwhile time.thread_time() < until: pass\n"
    (tmp_path / "burning.py").write_text(burn)
    (tmp_path / "late.py").write_text(f"""
import json, sys, time
from benchmarks.work import WorkClock
clock, began_s = WorkClock(), time.process_time()
sys.path.insert(0, {str(tmp_path)!r})
import burning
until = time.thread_time() + 0.01
while time.thread_time() < until: pass
print(json.dumps({{"work_s": clock.seconds(), "all_s": time.process_time() - began_s}}))
""")
    told = cost([str(tmp_path / "late.py")], {"PYTHONPATH": str(ROOT)}).told
    assert 0.01 <= told["work_s"] <= told["all_s"] - 0.03


LISTINGS = {"GET /crm/v3/objects/contacts": "properties", "GET /3.0/lists/{list_id}/members": "fields"}
"""Listing → the parameter that names what is shown."""


def noted(route: Route, parameter: str, seen: list[tuple[str, bytes]]) -> None:
    """From now on keep what each call of the route asks to be shown, and the body of its answer."""
    answer = route.handler

    def note(request: Request) -> Reply:
        reply = answer(request)
        seen.append((request.query[parameter], msgspec.json.encode(reply.body)))
        return reply

    route.handler = note


def test_engine_and_floor_ask_for_the_same_thirty_fields_of_real_weight(tmp_path: Path) -> None:
    with start_twins(rate=False) as twins:
        world = World(twins, SIZE)
        world.fill_crm()
        world.fill_audience()
        seen: dict[str, list[tuple[str, bytes]]] = {call: [] for call in LISTINGS}
        for route in (*twins.hubspot.vendor.routes, *twins.mailchimp.vendor.routes):
            if (call := f"{route.method} {route.template}") in LISTINGS:
                noted(route, LISTINGS[call], seen[call])
        bench = Bench(world, tmp_path)
        bench.floor("read")
        floor = {call: answers[:] for call, answers in seen.items()}
        bench.engine(tmp_path)
    for call, answers in seen.items():
        assert len(answers) > len(floor[call])
        assert {frozenset(asked.split(",")) for asked, _ in answers} == {frozenset(floor[call][0][0].split(","))}
        assert 850 <= sum(len(body) for _, body in floor[call]) / SIZE <= 910
    assert len(PROPERTIES) == len(load(MAPPING).model.fields) == 30


def test_a_result_takes_the_best_round_and_the_worst_memory(samples: dict[str, Sample]) -> None:
    sample = samples["W1"]
    result = result_of(SIZE, [sample, sample])
    assert (result.rounds, result.calls, result.floor_s) == (2, sample.calls.total, sample.floor.work_s)


def test_the_docs_section_is_replaced_and_the_rest_stays(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{report.BEGIN}\nold numbers\n{report.END}\nafter\n")
    report.write_docs([a_result()], [Goal("W1: CPU ÷ floor", 1.9, 2.0), Goal("W1: calls", 3, 1)], page)
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("\nafter\n") and "old numbers" not in text
    assert "| W1 | 100,000 | 1.90 | 19.000 | 10.000 | 19.900 | 10.100 |" in text
    assert "1 of 2 goals met" in text and "- missed: W1: calls is 3.00, and may be 1" in text


def test_the_report_says_pass_and_fail_and_is_json(tmp_path: Path) -> None:
    goals = [Goal("first", 1, 2), Goal("second", 3, 2)]
    with (tmp_path / "out").open("w") as out:
        report.show([a_result(problems=("2 people differ afterwards",))], goals, Console(file=out, width=120))
    shown = (tmp_path / "out").read_text()
    assert "PASS first" in shown and "FAIL second" in shown and "2 people differ afterwards" in shown
    assert [goal["met"] for goal in json.loads(report.as_json([a_result()], goals))["goals"]] == [True, False]


def test_the_docs_page_has_the_place_for_the_last_run() -> None:
    text = report.DOCS.read_text(encoding="utf-8")
    assert text.index(report.BEGIN) < text.index(report.END)
