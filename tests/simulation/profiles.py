"""What each kind of simulated vendor can do. All have the same native fields in clothes of their own; together, each re-check and merge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from syncline.ports import Capabilities, FieldInfo

TEXTS = ("first", "last", "city", "note", "company", "source")
FIELDS = ("email", *TEXTS, "phone", "birthday", "stage", "consent", "tags")
STAGES = ("lead", "mql", "sql", "customer")
S = 1_000_000


@dataclass(frozen=True, slots=True)
class Profile:
    """`lag_s`: how late its index may be, always less than its overlap. `unique`: refuses a second live record with an address.

    `shows_dead`: its polls show archived and merged records. `words`: consent as it says it (out, silent, in, asked, bounced).
    `stale`: its reads may come from an older copy. `resolution_us`: of its stamps. `proves`: it keeps where and when a person agreed.
    """

    name: str
    capabilities: Capabilities
    lag_s: int
    page: int
    words: Mapping[str, object]
    anchors: tuple[str, ...] = ()
    unique: bool = True
    shows_dead: bool = False
    stale: bool = False
    lists: bool = True
    field_times: bool = False
    resolution_us: int = 1000
    proves: bool = False

    @property
    def fields(self) -> dict[str, FieldInfo]:
        """What `describe` says."""
        boolean = self.words["out"] in ("true", True)
        options = () if boolean else tuple(str(word) for word in self.words.values())
        return {
            **{name: FieldInfo(name, "text") for name in (*TEXTS, "phone", "stage")},
            "email": FieldInfo("email", "email", unique=self.unique),
            "birthday": FieldInfo("birthday", "date"),
            "consent": FieldInfo("consent", "boolean" if boolean else "choice", consent=True, options=options),
            "tags": FieldInfo("tags", "set" if self.lists else "text"),
        }


HUB = Profile(
    "hub",
    Capabilities("modified_since", 120, "record", False, "by_absence", "absorbed", "email", 5, 4, "batch_read"),
    lag_s=40,
    page=4,
    words={"out": "true", "silent": "false"},
    anchors=("email",),
    stale=True,
    lists=False,
)
CHIMP = Profile(
    "chimp",
    Capabilities("modified_since", 300, "record", False, "by_absence", "none", "email", 5, 6, "delta_poll", can_restore=True),
    lag_s=20,
    page=5,
    words={"out": "unsubscribed", "silent": "transactional", "in": "subscribed", "asked": "pending", "bounced": "cleaned"},
    anchors=("email",),
    resolution_us=S,
    proves=True,
)
LIST = replace(HUB, name="list", words={"out": "no", "silent": "unasked", "in": "yes"})
"""A CRM in which people also note who agreed, and nothing of how."""

TRIT = Profile(
    "trit",
    Capabilities("modified_since", 300, "field", True, "flag", "pointer", None, 5, 3, "conditional", can_restore=True),
    lag_s=60,
    page=3,
    words={"out": True, "silent": False},
    unique=False,
    shows_dead=True,
    stale=True,
    field_times=True,
    resolution_us=1,
)


def sized(profile: Profile, *, page: int, batch: int, lag_s: int) -> Profile:
    """The same vendor with other sizes."""
    return replace(profile, page=page, lag_s=lag_s, capabilities=replace(profile.capabilities, batch_read=batch, batch_write=batch))


PROFILES = {profile.name: profile for profile in (HUB, LIST, CHIMP, TRIT)}
PAIRS = (("hub", "chimp"), ("trit", "chimp"), ("hub", "trit"), ("trit", "hub"))
