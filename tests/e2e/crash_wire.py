"""Acts at exact moments of the wire: something that people do just before a call is sent, or just after it was answered (or was not)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests.adapters

Seen = Callable[[Any], bool]


def acting(monkeypatch: pytest.MonkeyPatch, when: Seen, act: Callable[[], Any], *, before: bool = False) -> list[str]:
    """`act` once, at the first call for which `when(request)` holds: after its answer or silence, unless `before`. Returns all calls."""
    plain, done, calls = requests.adapters.HTTPAdapter.send, [], list[str]()

    def send(adapter: Any, request: Any, **options: Any) -> Any:
        mine = not done and when(request)
        if mine:
            done.append(True)
        calls.append(f"{request.method} {request.path_url}")
        if mine and before:
            act()
        try:
            return plain(adapter, request, **options)
        finally:
            if mine and not before:
                act()

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    return calls


def writes_members(request: Any) -> bool:
    """A batch of members on its way to the marketing side."""
    return bool(request.method == "POST" and "/lists/" in request.url)


def searches(request: Any) -> bool:
    """The CRM's incremental poll."""
    return bool(request.url.endswith("/search"))


def updates_contacts(request: Any) -> bool:
    """A batch of changes on its way to the CRM."""
    return bool(request.url.endswith("/batch/update"))
