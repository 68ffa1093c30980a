"""Which connectors there are, and how one is built from settings and the environment. `flows` and `console` import it.

Built-ins are a literal table; others arrive by the entry-point group `syncline.connectors`. Nothing is imported before it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, NamedTuple, cast

from syncline.errors import UsageError
from syncline.ports import Connector, Settings

BUILTIN = {
    "hubspot": "connectors.hubspot:HubSpot",
    "mailchimp": "connectors.mailchimp:Mailchimp",
    "tryton": "connectors.tryton:Tryton",
}
GROUP = "syncline.connectors"
OWN_ORIGIN = "syncline"


class _Place(NamedTuple):
    target: str
    origin: str


@dataclass(frozen=True, slots=True)
class ConnectorInfo:
    """A connector as `available()` shows it. `origin` is the distribution it came with; `secrets` are the names of what it needs."""

    name: str
    title: str
    origin: str
    objects: tuple[str, ...]
    secrets: tuple[str, ...]


def connector_class(name: str) -> type[Connector]:
    """The class behind `name`. Raises UsageError for an unknown name, a name given twice, or a connector that cannot be imported."""
    places = _places()
    if name not in places:
        raise UsageError(f"no connector is called {name!r}; there are: {', '.join(sorted(places))}")
    module, _, attribute = places[name].target.partition(":")
    try:
        return cast("type[Connector]", getattr(import_module(module), attribute))
    except (ImportError, AttributeError) as error:
        raise UsageError(f"connector {name!r} of {places[name].origin} cannot be loaded: {error}") from error


def available() -> list[ConnectorInfo]:
    """All connectors, by name. Loads each of them."""
    places = _places()
    classes = [(name, place.origin, connector_class(name)) for name, place in sorted(places.items())]
    return [ConnectorInfo(name, kind.title, origin, kind.objects, kind.secrets) for name, origin, kind in classes]


def build(name: str, settings: Settings) -> Connector:
    """A connector ready for use; it makes no call yet."""
    make = cast("Callable[[Settings], Connector]", connector_class(name))
    return make(settings)


def settings_from_env(
    name: str, options: Mapping[str, Any], environ: Mapping[str, str], *, call_budget: int | None = None, timeout_s: float = 60.0
) -> Settings:
    """Settings from SYNCLINE_<NAME>_<SECRET> and SYNCLINE_<NAME>_BASE_URL. Raises UsageError that names every missing variable."""
    names = {secret: variable(name, secret) for secret in connector_class(name).secrets}
    found = {secret: environ.get(wanted, "").strip() for secret, wanted in names.items()}
    missing = [names[secret] for secret, value in found.items() if not value]
    if missing:
        raise UsageError(f"{name} needs {' and '.join(missing)} in the environment")
    base_url = environ.get(variable(name, "base_url"), "").strip() or None
    return Settings(base_url=base_url, options=options, secrets=found, call_budget=call_budget, timeout_s=timeout_s)


def variable(name: str, part: str) -> str:
    """The environment variable of one part of a connector's settings: ("hubspot", "token") → SYNCLINE_HUBSPOT_TOKEN."""
    return f"SYNCLINE_{name}_{part}".upper().replace("-", "_")


@cache
def _places() -> dict[str, _Place]:
    places = {name: _Place(target, OWN_ORIGIN) for name, target in BUILTIN.items()}
    for point in entry_points(group=GROUP):
        origin = point.dist.name if point.dist else "an unknown distribution"
        if point.name in places:
            raise UsageError(f"two distributions bring a connector called {point.name!r}: {places[point.name].origin} and {origin}")
        places[point.name] = _Place(point.value, origin)
    return places
