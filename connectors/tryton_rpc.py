"""Tryton's JSON-RPC: one signed-in session over the HTTP door, and what its refusals mean. Only `connectors.tryton` imports it.

Every call runs in one transaction, so whatever answers with an error has written nothing. A session may end at any time (401): the call
was refused at the gate, so it is sent once more after signing in again. Messages of Tryton quote names and addresses: they go into
`detail` alone.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Mapping
from typing import Any

from connectors.http import Door, ErrorTable, Purpose, Reply
from syncline.errors import AuthFailed, Forbidden, RateLimited, Rejected, Stale, SyncError, Unreachable, UsageError

PATH = "/{database}/rpc/"
REFUSALS = ("UserError", "UserWarning")


def busy(_reply: Reply, where: str) -> SyncError:
    """503: the database could not serialise the transaction, which was rolled back; even a write may be sent again."""
    return RateLimited(f"{where}: too busy, nothing was written (503)")


def absent(_reply: Reply, where: str) -> SyncError:
    """404: the server is there, and it is Tryton or something else; the database is not."""
    return UsageError(f"{where}: no such database; see the base URL and the option `database`")


def closed(_reply: Reply, where: str) -> SyncError:
    """403: this server does not offer the method."""
    return Forbidden(f"{where}: this server does not offer what was asked (403)")


ERRORS: ErrorTable = {403: closed, 404: absent, 503: busy}


class Rpc:
    """Calls to the models of one database, as one user. Threads may share it.

    `asked_us` is the server's own time at the last call, microseconds.
    """

    def __init__(self, door: Door, database: str, user: str, password: str) -> None:
        self.asked_us = 0
        self._door = door
        self._database = database
        self._login = [user, {"password": password}]
        self._pass: dict[str, str] = {}
        self._lock = threading.Lock()

    def version(self) -> str:
        """The server's series, "8.2". Needs no session."""
        reply = self._door.call("POST", "/rpc/", json=_body("common.server.version", []), purpose="read")
        return str(self._result(reply, "common.server.version", "read"))

    def call(self, method: str, *args: Any, context: Mapping[str, Any] | None = None, purpose: Purpose = "read") -> Any:
        """The result of `method`, "model.party.party.write" say.

        Raises what the door raises; Stale; for a refused write Rejected, for a refused read Forbidden or Unreachable.
        """
        params = [*args, dict(context or {})]
        ticket = self._pass or self._sign_in({})
        try:
            return self._send(method, params, purpose, ticket)
        except AuthFailed:
            ticket = self._sign_in(ticket)
        return self._send(method, params, purpose, ticket)

    def _send(self, method: str, params: list[Any], purpose: Purpose, ticket: dict[str, str]) -> Any:
        where = {"database": self._database}
        reply = self._door.call("POST", PATH, args=where, json=_body(method, params), purpose=purpose, headers=ticket)
        self.asked_us = reply.asked_us
        return self._result(reply, method, purpose)

    def _sign_in(self, old: dict[str, str]) -> dict[str, str]:
        """A new session, unless another thread has opened one since `old` was refused."""
        with self._lock:
            if self._pass == old:
                uid, token, *_ = self._send("common.db.login", self._login, "read", {})
                pass_ = base64.b64encode(f"{self._login[0]}:{uid}:{token}".encode()).decode()
                self._pass = {"Authorization": f"Session {pass_}"}
            return self._pass

    def _result(self, reply: Reply, method: str, purpose: Purpose) -> Any:
        where = f"{self._door.platform} {method}"
        match reply.data:
            case {"result": result}:
                return result
            case {"error": [kind, *rest]}:
                raise refusal(str(kind), self._door.hide(str(rest[0] if rest else "")), where, purpose)
        raise Unreachable(f"{where}: the answer is no JSON-RPC")


def refusal(kind: str, detail: str, where: str, purpose: Purpose) -> SyncError:
    """The error of an envelope. A bare exception text is a fault inside the server: on a write, one row's value may have caused it."""
    if kind == "ConcurrencyException":
        return Stale(f"{where}: changed since we read it")
    if kind == "LoginException":
        return AuthFailed(f"{where}: more than a password is asked for")
    if purpose == "write":
        return Rejected(f"{where}: refused", detail=detail if kind in REFUSALS else f"{kind} {detail}")
    if kind in REFUSALS:
        return Forbidden(f"{where}: refused", detail=detail)
    return Unreachable(f"{where}: failed inside the server", detail=f"{kind} {detail}")


def _body(method: str, params: list[Any]) -> dict[str, Any]:
    # With any other keys Tryton answers errors as bare HTML pages.
    return {"id": 1, "method": method, "params": params}
