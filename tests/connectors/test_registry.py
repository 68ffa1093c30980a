"""Which connectors there are, and how one is built from the environment."""

from importlib.metadata import EntryPoint, EntryPoints
from typing import Any

import pytest

from connectors import registry
from syncline.errors import UsageError
from syncline.ports import Connector, Settings


@pytest.fixture(autouse=True)
def fresh() -> Any:
    registry._places.cache_clear()
    yield
    registry._places.cache_clear()


class _Dist:
    name = "acme-syncline"


def bring(monkeypatch: pytest.MonkeyPatch, name: str, target: str) -> None:
    """As if a distribution called acme-syncline were installed."""
    point = EntryPoint(name, target, registry.GROUP)._for(_Dist())
    monkeypatch.setattr(registry, "entry_points", lambda group: EntryPoints([point] if group == registry.GROUP else []))


def test_the_built_in_connectors_load_and_say_what_they_need() -> None:
    infos = {info.name: info for info in registry.available()}
    assert {"hubspot", "mailchimp", "tryton"} <= set(infos)
    assert infos["hubspot"] == registry.ConnectorInfo("hubspot", "HubSpot CRM", "syncline", ("contacts",), ("token",))
    assert all(registry.connector_class(name).name == name for name in infos)


def test_a_connector_is_built_from_the_environment() -> None:
    environ = {"SYNCLINE_HUBSPOT_TOKEN": " pat-1 ", "SYNCLINE_HUBSPOT_BASE_URL": "http://127.0.0.1:1"}
    settings = registry.settings_from_env("hubspot", {"calls_per_10_s": 100}, environ, call_budget=5)
    assert settings == Settings("http://127.0.0.1:1", {"calls_per_10_s": 100}, {"token": "pat-1"}, 5)
    assert isinstance(registry.build("hubspot", settings), Connector)


@pytest.mark.parametrize("environ", [{}, {"SYNCLINE_HUBSPOT_TOKEN": "  "}])
def test_a_missing_secret_names_its_variable(environ: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="SYNCLINE_HUBSPOT_TOKEN"):
        registry.settings_from_env("hubspot", {}, environ)


def test_a_name_may_have_a_hyphen() -> None:
    assert registry.variable("acme-crm", "api_key") == "SYNCLINE_ACME_CRM_API_KEY"


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="hubspot, mailchimp"):
        registry.connector_class("salesfarce")


def test_a_third_partys_connector_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    bring(monkeypatch, "acme", "connectors.hubspot:HubSpot")
    assert registry.connector_class("acme").title == "HubSpot CRM"
    assert [info.origin for info in registry.available() if info.name == "acme"] == ["acme-syncline"]


def test_a_name_given_twice_names_both_distributions(monkeypatch: pytest.MonkeyPatch) -> None:
    bring(monkeypatch, "hubspot", "acme:HubSpot")
    with pytest.raises(UsageError, match=r"syncline.*acme-syncline"):
        registry.connector_class("mailchimp")


@pytest.mark.parametrize("target", ["acme_is_not_installed:X", "connectors.hubspot:NoSuchClass"])
def test_a_connector_that_does_not_load_is_named(monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    bring(monkeypatch, "acme", target)
    with pytest.raises(UsageError, match=r"acme.*acme-syncline"):
        registry.connector_class("acme")
