"""Three hundred parties of a real Tryton and an audience, synced both ways by the shipped mapping. Judged by what both systems then hold.

One history for all tests: a first load that is killed half-way, a day of edits on both sides, rounds until nothing more is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.serve import start_twins
from tests.real.both_systems import BothSystems
from tests.real.day_of_edits import History, Moment, a_day, moment
from tests.real.people_of_both import SHARED, settle_in
from tests.real.plain_rules import number, unlike, wants_a_party
from tests.real.tryton_server import tryton


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    with start_twins(rate=False, apart=True) as twins, tryton() as server:
        systems = BothSystems(server, twins, tmp_path_factory.mktemp("tryton-sync"))
        settle_in(systems)
        before = moment(systems)
        systems.killed_after('"model.party.party.create"')
        cut = moment(systems)
        systems.until_quiet("sync")
        loaded = moment(systems)
        who = a_day(systems, loaded)
        systems.until_quiet("sync")
        systems.until_quiet("sweep")
        yield History(systems, before, cut, loaded, who, moment(systems))


# ---------------------------------------------------------------- the first load


def test_the_first_load_was_killed_in_the_middle(history: History) -> None:
    """Parties made and never looked at again by the one who made them; no member made yet (consent alone goes before everything)."""
    assert len(history.before.all_parties) > 300
    assert len(history.cut.all_parties) > len(history.before.all_parties) + 20
    assert set(history.cut.members) == set(history.before.members)


def test_everyone_who_may_be_is_in_both_systems_and_nobody_else(history: History) -> None:
    before, loaded = history.before, history.loaded
    from_parties = {
        email for email, found in before.parties.items()
        if "@" in email and email not in before.members and not any(party["opted_out"] for party in found)
    }  # fmt: skip
    from_members = {email for email, [member] in before.members.items() if email not in before.parties and wants_a_party(member)}
    assert len(from_parties) > 80 and len(from_members) > 20
    assert set(loaded.members) == set(before.members) | from_parties
    assert set(loaded.parties) == set(before.parties) | from_members
    assert len(loaded.all_members) == len(before.all_members) + len(from_parties)
    assert len(loaded.all_parties) == len(before.all_parties) + len(from_members)


@pytest.mark.parametrize("when", ["loaded", "end"])
def test_nobody_is_there_twice(history: History, when: str) -> None:
    now: Moment = getattr(history, when)
    assert [email for email, found in now.parties.items() if len(found) > 1] == [SHARED]
    assert [email for email, found in now.members.items() if len(found) > 1] == []
    made = history.systems.crm.call("model.party.identifier.search_read", [["code", "like", "syncline:%"]], 0, None, None, ["code"])
    assert len({row["code"] for row in made}) == len(made)


@pytest.mark.parametrize("when", ["loaded", "end"])
def test_every_pair_agrees_in_every_field(history: History, when: str) -> None:
    now: Moment = getattr(history, when)
    both = [(now.party(email), now.member(email)) for email in now.parties.keys() & now.members.keys() - {SHARED}]
    assert len(both) > 290
    unequal = {member["email_address"]: unlike(party, member) for party, member in both if unlike(party, member)}
    removed = {history.who["phone removed"]["email"]: ["phone"]} if when == "end" else {}
    assert unequal == {email: ["name"] for email in last_names_alone(now)} | removed


def test_what_cannot_be_agreed_waits_for_a_person(history: History) -> None:
    """Two parties and a member of one address; no address; a nonsense one; no number; a last name that would be read as a first one."""
    alone = len(last_names_alone(history.end))
    assert alone > 0
    assert history.systems.held() == sorted([
        ("", "Ambiguous", "crm"), ("", "Ambiguous", "crm"), ("", "Ambiguous", "marketing"), ("", "Required", "crm"),
        ("email", "Rejected", "crm"), ("phone", "Rejected", "crm"), *[("last_name", "Rejected", "crm")] * alone,
    ])  # fmt: skip


def last_names_alone(now: Moment) -> set[str]:
    """Members that became parties and have a last name only."""
    told = {email: (now.party(email)["name"], member) for email, [member] in now.members.items() if len(now.parties.get(email, [])) == 1}
    return {member["email_address"] for name, member in told.values() if not name and member.get("LNAME")}


# ---------------------------------------------------------------- the day's edits


def pair(history: History, edit: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The party and the member of one edit, at the end, found by their ids: the same two records as before."""
    was = history.who[edit]
    party = next(party for party in history.end.all_parties if party["id"] == was["id"])
    return party, next(member for member in history.end.all_members if member["contact_id"] == was["member"]["contact_id"])


def names(history: History, edit: str) -> tuple[str, str, str]:
    party, member = pair(history, edit)
    return party["name"], member["FNAME"], member["LNAME"]


def test_names_move_by_halves(history: History) -> None:
    first, last = ({edit: person["party"]["name"].split()[n] for edit, person in history.who.items()} for n in (0, 1))
    assert names(history, "crm name") == (f"Crm {last['crm name']}", "Crm", last["crm name"])
    assert names(history, "marketing name") == (f"{first['marketing name']} Newname", first["marketing name"], "Newname")
    assert names(history, "both halves") == ("Both Mailchimp", "Both", "Mailchimp")
    assert names(history, "same half") == (f"Same {last['same half']}", "Same", last["same half"]), "the CRM wins a tie"


def test_addresses_and_numbers_edited_as_mechanisms_move(history: History) -> None:
    for edit, email in (("crm address", "moved.in.crm@people.example"), ("marketing address", "moved.in.audience@people.example")):
        party, member = pair(history, edit)
        assert (party["email"], member["email_address"], member["state"]) == ([email], email, "live")
    for edit, digits in (("crm phone", "35315550177"), ("marketing phone", "35315550166")):
        party, member = pair(history, edit)
        assert ([number(phone) for phone in party["phone"]], number(member["PHONE"])) == ([digits], digits)


def test_a_number_taken_away_is_neither_cleared_nor_brought_back(history: History) -> None:
    """The shipped mapping lets a blank say nothing."""
    party, member = pair(history, "phone removed")
    assert (party["phone"], number(member["PHONE"])) == ([], number(history.who["phone removed"]["party"]["phone"][0]))


def test_an_opt_out_reaches_the_other_side(history: History) -> None:
    """Also one that the record merged away had said: since the last poll, or without ever having been in the audience."""
    for edit in ("unsubscribed", "opted out", "merge of an opt-out", "merge of a stranger"):
        party, member = pair(history, edit)
        assert (party["opted_out"], member["status"]) == (True, "unsubscribed"), edit


def test_nobody_was_subscribed_by_us(history: History) -> None:
    ours = [effect for effect in history.systems.marketing.effects() if effect["actor"] == "api"]
    made = {effect["after"]["status"] for effect in ours if effect["field"] == "*" and effect["after"]}
    written = {effect["after"] for effect in ours if effect["field"] == "status"}
    assert (made, written) == ({"transactional"}, {"unsubscribed", "archived"})


def test_a_bounce_is_no_opt_out(history: History) -> None:
    party, member = pair(history, "bounced")
    assert (party["opted_out"], member["status"]) == (False, "cleaned")


def test_tags_of_both_sides_are_kept(history: History) -> None:
    party, member = pair(history, "tags")
    assert party["categories"] == set(member["tags"]) == {"From Tryton", "from mailchimp"}


def test_a_merge_takes_the_losers_member_along(history: History) -> None:
    for lost, won in (("merge loser", "merge winner"), ("opted-out loser", "merge of an opt-out")):
        loser, gone = pair(history, lost)
        winner, kept = pair(history, won)
        assert (loser["replaced_by"], loser["active"], gone["state"]) == (winner["id"], False, "archived")
        assert (winner["active"], kept["state"]) == (True, "live")


def test_an_archived_party_and_a_deleted_one_leave_the_audience(history: History) -> None:
    party, member = pair(history, "archived")
    assert (party["active"], member["state"]) == (False, "archived")
    deleted = history.who["deleted"]
    assert deleted["id"] not in {party["id"] for party in history.end.all_parties}
    assert [m["state"] for m in history.end.all_members if m["contact_id"] == deleted["member"]["contact_id"]] == ["archived"]


def test_who_leaves_the_audience_stays_a_party(history: History) -> None:
    party, member = pair(history, "left the audience")
    assert (party["active"], member["state"]) == (True, "archived")


def test_who_is_new_is_made_across(history: History) -> None:
    member, party = history.end.member("new.party@people.example"), history.end.party("new.member@people.example")
    assert (member["FNAME"], member["LNAME"], member["status"], member["tags"]) == ("New", "Party", "transactional", ["From Tryton"])
    assert (party["name"], party["categories"], party["opted_out"]) == ("New Member", {"from mailchimp"}, False)
    assert "not.asked@people.example" not in history.end.parties


# ---------------------------------------------------------------- at rest


def test_once_in_step_nothing_is_written(history: History) -> None:
    before = history.systems.footprint()
    for kind in ("sync", "sweep", "sync"):
        history.systems.sync(kind)
    assert history.systems.footprint() == before


def test_the_log_verifies(history: History) -> None:
    assert history.systems.verified()
