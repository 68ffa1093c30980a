"""A third party's connector, installed from a wheel beside ours, works like one of our own; and our wheel is whole."""

from __future__ import annotations

import json
import shutil
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from sandbox.handles import Twin
from sandbox.serve import start_twins
from tests.plugin.conftest import CHECKOUT
from tests.plugin.environments import Environment, build_wheel, fresh_environment

pytestmark = pytest.mark.xdist_group("plugin")

ROOMS = ("syncline", "connectors", "mappings", "state", "flows", "console", "sandbox")
NOW_US = 1_790_000_000_000_000
KEY = "the-files-own-key"


@dataclass(frozen=True)
class Office:
    """A project folder, the file of people in it, the audience, and the `syncline` command of the fresh environment."""

    folder: Path
    installed: Environment
    marketing: Twin

    @property
    def file(self) -> Path:
        return self.folder / "people.json"

    def people(self) -> dict[str, dict[str, Any]]:
        """Address → the person in the file."""
        people = json.loads(self.file.read_text())["people"].values()
        assert len({person["email"] for person in people}) == len(people)
        return {person["email"]: person for person in people}

    def members(self) -> dict[str, dict[str, Any]]:
        """Address → the member in the audience."""
        return {member["email_address"]: member for member in self.marketing.records()}

    def write(self, *people: dict[str, Any]) -> None:
        rows = {str(n): {"at_us": NOW_US, **person} for n, person in enumerate(people, 1)}
        self.file.write_text(json.dumps({"key": KEY, "people": rows}))

    def syncline(self, *arguments: object) -> CompletedProcess[str]:
        known = {
            "SYNCLINE_JSONFILE_BASE_URL": self.file.as_uri(),
            "SYNCLINE_JSONFILE_KEY": KEY,
            "SYNCLINE_MAILCHIMP_API_KEY": self.marketing.key,
            "SYNCLINE_MAILCHIMP_BASE_URL": self.marketing.url,
        }
        return self.installed.run("syncline", *arguments, cwd=self.folder, **known)

    def answer(self, *arguments: object) -> Any:
        """The JSON that a command answers with, when all is well."""
        said = self.syncline(*arguments, "--json")
        assert said.returncode == 0, said.stderr + said.stdout
        return json.loads(said.stdout)


@pytest.fixture
def office(tmp_path: Path, installed: Environment, their_source: Path) -> Iterator[Office]:
    shutil.copy(their_source / "mapping.yaml", tmp_path)
    with start_twins(rate=False) as twins:
        yield Office(tmp_path, installed, twins.mailchimp)


def test_the_wheel_brings_everything_that_the_checkout_has(our_wheel: Path) -> None:
    packed = set(zipfile.ZipFile(our_wheel).namelist())
    ours = [path for room in ROOMS for path in (CHECKOUT / room).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert {str(path.relative_to(CHECKOUT)) for path in ours} <= packed
    assert not [name for name in packed if name.startswith(("tests/", "benchmarks/"))]


def test_what_is_imported_there_is_what_was_installed(installed: Environment, tmp_path: Path) -> None:
    lines = "\n".join(f"import {room}; print({room}.__file__)" for room in (*ROOMS, "syncline_jsonfile"))
    said = installed.run("python", "-c", lines, cwd=tmp_path)
    places = said.stdout.split()
    assert len(places) == len(ROOMS) + 1, said.stderr
    assert all(Path(place).is_relative_to(installed.site_packages) for place in places)


def test_an_installed_syncline_starts_a_project(installed: Environment, tmp_path: Path) -> None:
    said = installed.run("syncline", "init", "project", cwd=tmp_path)
    assert said.returncode == 0, said.stderr
    copies = {"mapping.yaml": "contacts.yaml", "schema.json": "schema.json"}
    for name, original in copies.items():
        assert (tmp_path / "project" / name).read_text() == (CHECKOUT / "mappings" / original).read_text()
    assert {".env.example", ".gitignore", "prefect.yaml"} <= {path.name for path in (tmp_path / "project").iterdir()}


def test_the_connector_keeps_the_contract(installed: Environment, their_source: Path) -> None:
    said = installed.run(
        "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_jsonfile.py", cwd=their_source, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"
    )
    assert said.returncode == 0, said.stdout + said.stderr
    assert "skipped" not in said.stdout and int(said.stdout.splitlines()[-1].split()[0]) >= 20


def test_the_connector_is_listed_with_where_it_came_from(office: Office) -> None:
    listed = {row["name"]: row for row in office.answer("connectors")["connectors"]}
    assert set(listed) >= {"hubspot", "mailchimp", "tryton", "jsonfile"}
    assert (listed["jsonfile"]["origin"], listed["hubspot"]["origin"]) == ("syncline-jsonfile", "syncline")
    assert listed["jsonfile"]["needs"] == ["SYNCLINE_JSONFILE_KEY"]


def test_a_file_and_an_audience_come_into_step(office: Office) -> None:
    office.write(
        {"email": "ada@people.example", "first_name": "Ada", "last_name": "Byron", "labels": ["maths"]},
        {"email": "file.only@people.example", "first_name": "Fay"},
        {"email": "no.mail@people.example", "first_name": "Noel", "no_mail": True},
    )
    office.marketing.edit("create", email="ada@people.example", fields={"FNAME": "Ada", "LNAME": "Lovelace", "tags": ["news"]})
    office.marketing.edit("create", email="audience.only@people.example", fields={"FNAME": "Audrey"})

    assert office.answer("check")["sides"]["crm"]["account"] == "3 people in people.json"
    before = office.file.read_text(), office.members()
    planned = office.answer("plan")["planned"]
    assert {name: count for name, count in planned.items() if count} == {
        "contacts": 4, "creates": 2, "links": 1, "overwrites": 1, "updates": 2,
    }  # fmt: skip
    assert (office.file.read_text(), office.members()) == before
    said = office.syncline("sync")
    assert said.returncode == 0, said.stdout + said.stderr

    people, members = office.people(), office.members()
    ada, fay, noel, audrey = (f"{name}@people.example" for name in ("ada", "file.only", "no.mail", "audience.only"))
    assert (set(people), set(members)) == ({ada, fay, noel, audrey}, {ada, fay, audrey})
    for email, member in members.items():
        person = people[email]
        assert (person["first_name"], person.get("last_name", "")) == (member["FNAME"], member.get("LNAME", ""))
        assert sorted(person.get("labels", [])) == member["tags"]
        assert not person.get("no_mail")
    assert (members[ada]["LNAME"], members[ada]["tags"]) == ("Byron", ["maths", "news"])
    assert {email: member["status"] for email, member in members.items()} == {ada: "subscribed", fay: "transactional", audrey: "subscribed"}


def test_edits_go_both_ways_and_then_nothing_more(office: Office) -> None:
    emails = [f"{name}@people.example" for name in ("ann", "ben", "cat", "dan")]
    office.write(*({"email": email, "first_name": "Before"} for email in emails))
    for email in emails:
        office.marketing.edit("create", email=email, fields={"FNAME": "Before"})
    ann, ben, cat, dan = emails
    assert office.answer("sync")["pushed"]["applied"] == 0

    office.marketing.edit("update", email=ann, fields={"FNAME": "Annie"})
    office.marketing.edit("unsubscribe", email=cat)
    people = list(office.people().values())
    changed = {ben: {"first_name": "Benno"}, dan: {"no_mail": True}}
    office.write(*({**person, **changed.get(person["email"], {}), "at_us": time.time_ns() // 1000} for person in people))
    assert office.syncline("sync").returncode == 0
    names = {email: (person["first_name"], office.members()[email]["FNAME"]) for email, person in office.people().items()}
    assert names == {ann: ("Annie", "Annie"), ben: ("Benno", "Benno"), cat: ("Before", "Before"), dan: ("Before", "Before")}
    assert {email for email, person in office.people().items() if person.get("no_mail")} == {cat, dan}
    assert {email for email, member in office.members().items() if member["status"] == "unsubscribed"} == {cat, dan}

    before = office.file.read_text(), office.marketing.effects()
    assert office.syncline("sync", "--full").returncode == 0
    assert office.syncline("verify").returncode == 0
    assert (office.file.read_text(), office.marketing.effects()) == before


def test_two_connectors_of_one_name_stop_everything(our_wheel: Path, their_source: Path, tmp_path: Path) -> None:
    source = shutil.copytree(their_source, tmp_path / "source")
    project = source / "pyproject.toml"
    project.write_text(project.read_text().replace("syncline-jsonfile", "acme-hubspot").replace("jsonfile = ", "hubspot = "))
    acme = build_wheel(source, tmp_path / "wheel")
    said = fresh_environment(tmp_path / "venv", [our_wheel, acme]).run("syncline", "connectors", cwd=tmp_path)
    assert said.returncode == 2
    assert "'hubspot': syncline and acme-hubspot" in said.stderr and "Traceback" not in said.stderr
