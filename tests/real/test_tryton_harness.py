"""The harness itself: the server under the other tests is real, keeps what it is told, and merges as its users do."""

import pytest

from tests.real.rpc import Rpc, RpcError


def test_a_party_keeps_its_mechanisms(crm: Rpc) -> None:
    mechanisms = [["create", [{"type": "email", "value": "ada@people.example"}]]]
    [party] = crm.call("model.party.party.create", [{"name": "Ada Byron", "contact_mechanisms": mechanisms}])
    [read] = crm.call("model.party.party.read", [party], ["name", "email"])
    assert (read["name"], read["email"]) == ("Ada Byron", "ada@people.example")


def test_a_merge_archives_the_loser_and_names_the_winner(crm: Rpc) -> None:
    loser, winner = crm.call("model.party.party.create", [{"name": "Ada B."}, {"name": "Ada Byron"}])
    crm.replace(loser, winner)
    [read] = crm.call("model.party.party.read", [loser], ["active", "replaced_by"])
    assert (bool(read["active"]), read["replaced_by"]) == (False, winner)


def test_a_refusal_is_told_apart_from_a_result(crm: Rpc) -> None:
    with pytest.raises(RpcError) as refused:
        crm.call("model.party.party.create", [{"nofield": 1}])
    assert "nofield" in str(refused.value)
