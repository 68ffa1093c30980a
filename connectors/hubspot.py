"""HubSpot CRM contacts as a connector. Built by `registry`; reading is in `hubspot_reads`, writing in `hubspot_writes`.

Options: `create_key_property`: a text property of yours with unique values; creates then go through upsert on it, so that a repeated create
is harmless even without an address. `calls_per_10_s`: what your plan allows (190; 100 on Free and Starter).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from connectors.http import Door, Rate, Reply
from connectors.hubspot_reads import BATCH, OVERLAP_S, Reader
from connectors.hubspot_shapes import field_info
from connectors.hubspot_writes import Writer
from syncline.cursor import Cursor
from syncline.errors import AuthFailed, Forbidden, RateLimited, SyncError, UsageError
from syncline.ports import Capabilities, Change, Health, Page, Receipt, Schema, Settings
from syncline.records import Record

NEEDED_SCOPES = (
    "crm.objects.contacts.read",
    "crm.objects.contacts.write",
    "crm.schemas.contacts.read",
    "communication_preferences.read_write",
)
DAILY_WAIT_S = 3600.0
SECONDLY_WAIT_S = 1.0
LOCKED_WAIT_S = 2.0


class HubSpot:
    """HubSpot contacts. A *contact* has a record id; its address is unique; a merge makes a new record that names those it swallowed."""

    name = "hubspot"
    title = "HubSpot CRM"
    secrets = ("token",)
    objects = ("contacts",)
    anchors = ("email",)  # opt-outs go by address
    capabilities = Capabilities(
        incremental="modified_since",
        overlap_s=OVERLAP_S,
        evidence="record",
        versions=False,
        deletes="by_absence",
        merges="absorbed",
        create_key="email",
        batch_read=BATCH,
        batch_write=BATCH,
        recheck="batch_read",
    )

    def __init__(self, settings: Settings) -> None:
        self._token = settings.secrets["token"]
        self.door = Door(
            "HubSpot",
            settings.base_url or "https://api.hubapi.com",
            headers={"Authorization": f"Bearer {self._token}"},
            secrets=(self._token,),
            timeout_s=settings.timeout_s,
            rate=Rate(int(settings.options.get("calls_per_10_s", 190)), 10),
            budget=settings.call_budget,
            errors={429: _throttled, 423: _locked},
        )
        key = settings.options.get("create_key_property")
        if key:
            self.capabilities = replace(self.capabilities, create_key=key)
        self._reader = Reader(self.door)
        self._writer = Writer(self.door, self._reader, key)
        self._schemas: dict[str, Schema] = {}

    @property
    def clock_offset_us(self) -> int:
        """The vendor's clock minus ours, microseconds, as last seen."""
        return self.door.clock_offset_us

    @property
    def calls(self) -> Mapping[str, int]:
        """Calls sent so far, by purpose."""
        return self.door.calls

    def check(self) -> Health:
        """The account and what the token may do. Raises AuthFailed, Unreachable."""
        path = "/oauth/v2/private-apps/get/access-token-info"
        reply = self.door.call("POST", path, json={"tokenKey": self._token}, expect=(400, 404))
        if reply.status != 200:
            raise AuthFailed("HubSpot does not know this token; use the access token of a private app")
        scopes = tuple(reply.data.get("scopes", ()))
        missing = tuple(scope for scope in NEEDED_SCOPES if scope not in scopes)
        return Health(f"HubSpot account {reply.data.get('hubId')}", scopes, missing)

    def describe(self, object: str) -> Schema:
        """The contact properties, and the owners if the token may see them. Asked once in the connector's life."""
        self._known(object)
        if object not in self._schemas:
            found = self.door.call("GET", "/crm/v3/properties/contacts").data["results"]
            fields = {described["name"]: field_info(described) for described in found}
            self._schemas[object] = Schema(object, fields, self._owners())
        return self._schemas[object]

    def pull(self, object: str, fields: tuple[str, ...], cursor: Cursor | None) -> Iterator[Page]:
        """Changes since `cursor` through search, or everything (archived contacts too) through the list."""
        self._known(object)
        if cursor is None or cursor.token is not None:
            return self._reader.everything(fields, cursor)
        return self._reader.changes(fields, cursor)

    def read(self, object: str, fields: tuple[str, ...], refs: Sequence[str]) -> Iterator[Record]:
        """The contacts as they are now, one for each ref."""
        self._known(object)
        return self._reader.read(fields, refs)

    def find(self, object: str, fields: tuple[str, ...], field: str, values: Sequence[str]) -> Iterator[Record]:
        """The live contacts with these values of a unique property. Not through search, which lags behind."""
        self._known(object)
        return self._reader.find(fields, field, values)

    def push(self, object: str, fields: tuple[str, ...], changes: Iterable[Change]) -> Iterator[Receipt]:
        """Writes in batches of 100; see `hubspot_writes`."""
        self._known(object)
        return self._writer.push(fields, changes)

    def close(self) -> None:
        """Frees the connections."""
        self.door.close()

    def _known(self, object: str) -> None:
        if object not in self.objects:
            raise UsageError(f"HubSpot: there is no object {object!r} here; there is: {', '.join(self.objects)}")

    def _owners(self) -> dict[str, str]:
        owners: dict[str, str] = {}
        after = ""
        while True:
            try:
                data = self.door.call("GET", "/crm/v3/owners", query={"limit": 500} | ({"after": after} if after else {})).data
            except Forbidden:
                return {}  # owners are a permission of their own; without it no field can be mapped to them
            owners |= {owner["id"]: owner["email"] for owner in data["results"] if owner.get("email")}
            after = data.get("paging", {}).get("next", {}).get("after", "")
            if not after:
                return owners


def _throttled(reply: Reply, where: str) -> SyncError | None:
    """The policy says how long: the day's calls will not come back within this run, a second's will at once."""
    policy = reply.data.get("policyName", "") if isinstance(reply.data, dict) else ""
    if "DAILY" in policy:
        return RateLimited(f"{where}: the account's calls of today are used up", after_s=DAILY_WAIT_S)
    if policy.startswith("SECOND") and "Retry-After" not in reply.headers:
        return RateLimited(f"{where}: asked to wait (429)", after_s=SECONDLY_WAIT_S)
    return None


def _locked(_reply: Reply, where: str) -> SyncError:
    return RateLimited(f"{where}: the record is locked for the moment (423)", after_s=LOCKED_WAIT_S)
