"""One pair of twins for all these tests, emptied before each, and a client for either that speaks plain HTTP."""

import pytest
import requests

from sandbox.serve import start_twins


class Client:
    """Calls a twin with its credentials; `base` is prefixed to every path."""

    def __init__(self, base, **session):
        self.base, self.http = base, requests.Session()
        self.http.headers.update(session.get("headers", {}))
        self.http.auth = session.get("auth")

    def __call__(self, method, path="", **kw):
        return self.http.request(method, self.base + path, timeout=5, **kw)

    def ok(self, method, path="", **kw):
        answer = self(method, path, **kw)
        assert answer.ok, answer.text
        return answer.json() if answer.content else None


@pytest.fixture(scope="session")
def running():
    with start_twins(rate=False) as twins:
        yield twins


@pytest.fixture
def twins(running):
    running.reset()
    return running


@pytest.fixture
def crm(twins):
    return Client(twins.hubspot.url, headers={"Authorization": f"Bearer {twins.hubspot.token}"})


@pytest.fixture
def mc(twins):
    return Client(f"{twins.mailchimp.url}/3.0", auth=("any", twins.mailchimp.key))
