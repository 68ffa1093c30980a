"""The CRM twin: HubSpot CRM v3 contacts over HTTP. `HubSpot` is what the door serves and what tests hold."""

from . import hubspot_people
from .hubspot_api import Api
from .hubspot_reads import Reads
from .hubspot_state import Crm
from .hubspot_writes import Writes

TOKEN = "pat-twin-0000-sandbox"


class HubSpot:
    """The CRM vendor. `state` is its `Crm`; `clock` and `faults` are its own."""

    def __init__(self, token: str = TOKEN, rate: bool = True) -> None:
        api = Api(token, rate)
        self.api, self.token = api, token
        self.state: Crm = api.state
        self.clock, self.faults = api.clock, api.faults
        self.admit, self.fail = api.admit, api.fail
        self.routes = api.routes = Writes(api).routes() + Reads(api).routes()

    def records(self) -> list[dict]:
        return hubspot_people.records(self.state)

    def effects(self, since: int) -> list[dict]:
        return hubspot_people.effects(self.state, since)

    def edit(self, order: dict) -> dict:
        return hubspot_people.edit(self.state, order)

    def reset(self) -> None:
        self.faults.reset()
        self.api.open_windows()
        self.clock.reset(tick_ms=1)
        self.state.reset()
