"""A JSON-RPC client of a dozen lines: the tests' own eyes and hands in Tryton, sharing nothing with the connector under test.

crm = Rpc(server)
[party] = crm.call("model.party.party.create", [{"name": "Ada"}])
"""

import base64
from typing import Any

import requests

from tests.real.tryton_server import Server

TIMEOUT_S = 60


class RpcError(Exception):
    """Tryton's answer to a call it refused: ``kind`` is UserError, UserWarning, ConcurrencyException or a bare exception text."""

    def __init__(self, error: list[Any]):
        super().__init__(repr(error))
        self.kind: str = error[0]
        self.detail: Any = error[1] if len(error) > 1 else None


class Rpc:
    """A signed-in session. ``call`` adds the context that Tryton wants as the last parameter."""

    def __init__(self, server: Server):
        self._http = requests.Session()
        self._http.trust_env = False  # a proxy or a .netrc on this machine is no part of the test
        self._url = f"{server.base_url}/{server.database}/rpc/"
        uid, token, *_ = self._post("common.db.login", [server.user, {"password": server.password}])
        pass_ = base64.b64encode(f"{server.user}:{uid}:{token}".encode()).decode()
        self._http.headers["Authorization"] = f"Session {pass_}"
        self.uid: int = uid

    def call(self, method: str, *args: Any, context: dict[str, Any] | None = None) -> Any:
        """The bare result of one call; RpcError for a refusal, requests.HTTPError for anything but 200."""
        return self._post(method, [*args, context or {}])

    def replace(self, loser: int, winner: int) -> None:
        """Merge two parties as the client's wizard does: ``loser`` is archived and points at ``winner``."""
        session, *_ = self.call("wizard.party.replace.create")
        try:
            self.call("wizard.party.replace.execute", session, {"ask": {"source": loser, "destination": winner}}, "replace")
        except RpcError as warning:
            if warning.kind != "UserWarning":
                raise
            self._accept(warning.detail[0])
            self.call("wizard.party.replace.execute", session, {"ask": {"source": loser, "destination": winner}}, "replace")
        finally:
            self.call("wizard.party.replace.delete", session)

    def _accept(self, name: str) -> None:
        self.call("model.res.user.warning.create", [{"user": self.uid, "name": name, "always": False}])

    def _post(self, method: str, params: list[Any]) -> Any:
        answer = self._http.post(self._url, json={"id": 1, "method": method, "params": params}, timeout=TIMEOUT_S)
        answer.raise_for_status()
        body = answer.json()
        if "error" in body:
            raise RpcError(body["error"])
        return body["result"]
