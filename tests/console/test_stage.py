"""sandbox and demo, as a person starts them: processes of their own, real Prefect flows, the twins' true state."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sandbox.handles import Twins
from sandbox.serve import from_env
from tests.console.conftest import Command, make_person

SYNCLINE = (sys.executable, "-c", "from console.app import main; main()")
ROOT = Path(__file__).parent.parent.parent


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """As from a terminal: what a shell starts in the background would ignore an interrupt, and so would its children."""
    environ, pipe = {**os.environ, "PYTHONPATH": str(ROOT)}, subprocess.PIPE
    ours = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen([*SYNCLINE, *arguments], cwd=folder, env=environ, stdout=pipe, stderr=pipe, text=True)
    finally:
        signal.signal(signal.SIGINT, ours)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_the_sandbox_serves_until_interrupted_and_its_env_works(
    tmp_path: Path, sign: signal.Signals, monkeypatch: pytest.MonkeyPatch, syncline: Command
) -> None:
    child = start(tmp_path, "sandbox", "--dir", "box", "--contacts", "20", "--seed", "3")
    try:
        assert child.stdout is not None
        assert child.stdout.readline().startswith("ready: 20 people")
        env = tmp_path / "box" / "sandbox.env"
        assert len(from_env(env).hubspot.records()) > 5
        assert syncline("init", tmp_path / "project").code == 0
        for line in env.read_text().splitlines():
            monkeypatch.setenv(*line.split("=", 1))
        monkeypatch.chdir(tmp_path / "project")
        assert syncline("check").code == 0
    finally:
        child.send_signal(sign)
        assert child.wait(10) == 0
        child.communicate()


def test_a_folder_that_is_not_the_demos_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, syncline: Command) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "mine").touch()
    said = syncline("demo")
    assert said.code == 2
    assert "is not a demo's" in said.err
    assert (tmp_path / "demo" / "mine").exists()


@pytest.mark.prefect
def test_the_demo_ends_in_step_and_every_edit_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, syncline: Command) -> None:
    child = start(tmp_path, "demo", "--contacts", "80", "--json")
    out, err = child.communicate(timeout=170)
    told = json.loads(out)
    assert told["unexplained"] == []
    assert child.returncode == 0, err
    assert "Traceback" not in err
    line = r"IN STEP: \d+ contacts, 0 fields differ, \d+ held with a reason, \d+ changes logged, log verified"
    assert re.fullmatch(line, told["line"])
    assert told["runs"][0]["status"] == "stopped" and told["runs"][0]["trips"]
    answers = {edit["edit"]: " ".join(edit["log"]) or edit["note"] for edit in told["edits"]}
    for title, words in ANSWERS.items():
        assert all(word in answers[title] for word in words), (title, answers[title])
    monkeypatch.chdir(tmp_path)
    assert syncline("--project", "demo", "verify").code == 0


ANSWERS = {
    "Different fields of one person": ("company: ", "in marketing", "last_name: ", "in the CRM"),
    "The same field, two answers": ("first_name: Sandra → Alexandra in marketing", "the CRM wins ties"),
    "An unsubscribe against a later edit": ("opted_out in the CRM", "stage: ", "phone: "),
    "A new address": ("email: ", "in marketing"),
    "A delete": ("delete", "archive in marketing"),
    "A merge": ("merge", "rebind"),
    "A value the other side does not know": ("hold of stage", "UnknownChoice"),
    "A blank": ("a blank says nothing",),
}


def test_an_interrupted_run_says_so_and_the_next_one_goes_on(connected: Path, twins: Twins, syncline: Command) -> None:
    make_person(twins, "both@people.example")
    twins.mailchimp.faults(latency_s=0.4)
    child = start(connected, "sync")
    while not twins.mailchimp.calls()["total"]:
        time.sleep(0.02)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=20)
    assert child.returncode == 130
    assert err.strip() == "interrupted; what was begun is finished by the next run"
    twins.mailchimp.faults(clear=True)
    assert syncline("sync").code == 0
