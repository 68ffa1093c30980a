"""Requests out, bodies in: the part of the HTTP door that touches the network. Only `connectors.http` imports it.

It uses `requests` for proxies, certificates and pools, and hands it finished requests: no redirects (a token must not travel to another
host), no cookies, no walk through the environment on every call.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec
import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import HTTPError, NewConnectionError

from connectors.http_answers import Reply
from syncline import __version__
from syncline.errors import UsageError

CONNECT_TIMEOUT_S = 10.0
COMMON_HEADERS = {"Accept": "application/json", "Accept-Encoding": "gzip, deflate", "User-Agent": f"syncline/{__version__}"}

# At DEBUG urllib3 prints whole addresses, and an address can hold a person's e-mail.
logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)


class Wire:
    """One host's connections. Raises UsageError for a base URL or credentials that cannot be sent."""

    def __init__(self, platform: str, base_url: str, headers: Mapping[str, str], timeout_s: float, max_connections: int) -> None:
        self._base_url = base_url.rstrip("/")
        self.host = _host(platform, self._base_url)
        self._headers = _safe_headers(platform, {**COMMON_HEADERS, **headers})
        self._timeout = (CONNECT_TIMEOUT_S, timeout_s)
        self._session, self._adapter, self._route = _connect(self._base_url, max_connections)

    def close(self) -> None:
        """Frees the connections; safe to call twice."""
        self._session.close()

    def request(self, method: str, path: str, args: Any, query: Any, json: Any, headers: Any) -> requests.PreparedRequest:
        """A finished request, without the 0.2 ms that requests' own preparation costs."""
        request = requests.PreparedRequest()
        request.method = method
        request.url = self._base_url + (path.format_map({k: quote(v, safe="") for k, v in args.items()}) if args else path)
        if query:
            request.url += "?" + urlencode(query, safe=",")  # long lists of names: nothing in them needs quoting, byte by byte
        request.headers = CaseInsensitiveDict(self._headers)
        request.headers.update(headers or {})
        request.body = None if json is None else msgspec.json.encode(json)
        if request.body is not None:
            request.headers["Content-Type"] = "application/json"
        if request.body is not None or method not in ("GET", "DELETE"):
            request.headers["Content-Length"] = str(len(request.body or b""))
        return request

    def send(self, request: requests.PreparedRequest) -> tuple[Reply | None, str, bool]:
        """(reply, "", True), or (None, what happened, whether it may have reached the vendor). Never raises requests' own errors.

        Those hold the whole address and headers, and would travel as the context of ours.
        """
        try:
            answer = self._adapter.send(request, stream=True, timeout=self._timeout, **self._route)
            # Read whole from the raw response: requests would go in chunks of 10 kB.
            body = answer.raw.read(decode_content=True)
        except (requests.ConnectTimeout, requests.exceptions.ProxyError) as error:
            return None, type(error).__name__, False
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            return None, _cause(error), not _never_left(error)
        return Reply(answer.status_code, answer.headers, body), "", True


def _connect(base_url: str, max_connections: int) -> tuple[requests.Session, HTTPAdapter, dict[str, Any]]:
    """Session, adapter and route (proxies, CA), with the environment walked this one time."""
    session = requests.Session()
    route = session.merge_environment_settings(base_url, {}, None, None, None)
    session.trust_env = False
    adapter = HTTPAdapter(pool_connections=1, pool_maxsize=max_connections, pool_block=True)
    session.mount(base_url, adapter)
    return session, adapter, {name: value for name, value in route.items() if name != "stream"}


def _host(platform: str, base_url: str) -> str:
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{platform}: the base URL must look like https://host")
    return parts.hostname


def _safe_headers(platform: str, headers: dict[str, str]) -> dict[str, str]:
    """Checked here because http.client's own complaint would quote the token."""
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable()):
            raise UsageError(f"{platform}: the credentials hold a line break or another character no header can carry ({name})")
    return headers


def _never_left(error: BaseException) -> bool:
    """True when no connection came about, so nothing can have been written."""
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    inner = reason.args[0] if isinstance(error, requests.exceptions.SSLError) and reason is not None and reason.args else None
    return isinstance(reason, NewConnectionError) or isinstance(inner, ssl.SSLCertVerificationError)


def _cause(error: BaseException) -> str:
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return type(reason if isinstance(reason, Exception) else error).__name__
