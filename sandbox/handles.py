"""Handles on running twins, for tests, the demo and benchmarks: where they are, what they know, and how to disturb them."""

import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any

import msgspec


@dataclass(slots=True)
class Twin:
    """One running twin. `vendor` is the live object when the twin runs in this process."""

    url: str
    token: str = ""
    key: str = ""
    audience: str = ""
    vendor: Any = None

    @property
    def state(self) -> Any:
        """`Crm` or `Audience`; None when the twin runs elsewhere. Only read it."""
        return self.vendor.state if self.vendor else None

    def records(self) -> list[dict]:
        """The true state: flat dicts sorted by id, with `state` live | archived | merged | deleted."""
        return self._ask("GET", "records")

    def edit(self, op: str, **order: Any) -> str | None:
        """Act as a human would; returns the record's id. Raises ValueError with the twin's reason."""
        return self._ask("POST", "edit", {"op": op, **order})["id"]

    def effects(self, since: int = 0) -> list[dict]:
        return self._ask("GET", f"effects?since={since}")

    def calls(self) -> dict:
        return self._ask("GET", "calls")

    def reset_calls(self) -> None:
        self._ask("POST", "calls")

    def faults(self, **body: Any) -> dict:
        """Set switches or add faults, as in `POST /_twin/faults`; returns them as they stand."""
        return self._ask("POST", "faults", body)

    def clock(self, **body: Any) -> dict:
        """Read or set the clock: now (ISO), frozen, advance_s, tick_ms."""
        return self._ask("POST", "clock", body)

    def reset(self) -> None:
        """Back to empty: no records, effects, calls or faults, real time, limits as at the start."""
        self._ask("POST", "reset")

    def _ask(self, method: str, path: str, body: dict | None = None) -> Any:
        data = msgspec.json.encode(body) if body is not None else None
        request = urllib.request.Request(f"{self.url}/_twin/{path}", data=data, method=method)  # noqa: S310 our own server
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310
                return msgspec.json.decode(answer.read())
        except urllib.error.HTTPError as error:
            raise ValueError(error.read().decode()) from None


@dataclass(slots=True)
class Twins:
    """Both twins and the people they were seeded with (empty when they run elsewhere)."""

    hubspot: Twin
    mailchimp: Twin
    people: list = field(default_factory=list)

    def env(self) -> dict[str, str]:
        """What a Syncline process needs to reach them."""
        return {
            "SYNCLINE_HUBSPOT_TOKEN": self.hubspot.token,
            "SYNCLINE_HUBSPOT_BASE_URL": self.hubspot.url,
            "SYNCLINE_MAILCHIMP_API_KEY": self.mailchimp.key,
            "SYNCLINE_MAILCHIMP_BASE_URL": self.mailchimp.url,
            "SYNCLINE_MAILCHIMP_AUDIENCE": self.mailchimp.audience,
        }

    def reset(self, contacts: int = 0, seed: int = 7) -> None:
        """Empty both and seed them anew; cheaper than a restart. Only for twins in this process."""
        from .seed import seed as fill

        self.hubspot.reset()
        self.mailchimp.reset()
        self.people = fill(self.hubspot.vendor, self.mailchimp.vendor, contacts, seed)
