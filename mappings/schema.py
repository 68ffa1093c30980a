"""The mapping language as pydantic models: the one place that says which words a mapping file may hold.

`python -m mappings.schema` writes `schema.json` beside this file, by which editors complete and check a mapping as it is typed. What needs
more than one field to judge lives in `consistency`; what needs the vendors' schemas, in `check`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from mappings.quantities import duration_us, limit, scalar
from mappings.tables import ValueTable, by_meaning_or_side, by_side
from mappings.transforms.country import Form
from mappings.transforms.names import Part
from syncline.mapping import Direction, Limit, OnBlank, RuleName
from syncline.ports import FieldType
from syncline.records import Side

SCHEMA_FILE = Path(__file__).with_name("schema.json")
Plain = str | int | float | bool | None
Text = Annotated[str, Field(min_length=1)]
Scalar = Annotated[Any, BeforeValidator(scalar, json_schema_input_type=Plain)]
DurationUs = Annotated[int, BeforeValidator(duration_us, json_schema_input_type=Annotated[str, Field(pattern=r"^\d+(ms|s|m|h|d)$")])]
Natives = Plain | list[Plain]


class Strict(BaseModel):
    """No unknown words, no silent conversions."""

    model_config = ConfigDict(extra="forbid", strict=True, arbitrary_types_allowed=True)


def _short(word: str) -> Any:
    """A lone text stands for `{word: text}`."""
    return lambda written: {word: written} if isinstance(written, str) else written


def _both(written: Any) -> Any:
    """A lone text holds for both sides."""
    return {"crm": written, "marketing": written} if isinstance(written, str) else written


class SideModel(Strict):
    connector: Text = Field(description="Name of a connector, such as hubspot")
    object: Text = Field(description="One of the connector's objects, such as contacts")
    options: dict[str, Any] = Field(default={}, description="What the connector needs to know; never secrets")


class SidesModel(Strict):
    crm: SideModel
    marketing: SideModel


class IdentityModel(Strict):
    match: Annotated[list[Text], Field(min_length=1, max_length=2)] = Field(description="Fields that recognise a person, best first")
    on_ambiguous: Literal["hold"] = "hold"


class PredicateModel(Strict):
    """One of all, any, not, field. Conditions on one field add up."""

    all: list[PredicateModel] | None = None
    any: list[PredicateModel] | None = None
    not_: PredicateModel | None = Field(default=None, alias="not")
    field: Text | None = Field(default=None, description="A field of this mapping, or a native name of the side")
    is_: Scalar = Field(default=None, alias="is", description="present, blank, or a value")
    is_not: Scalar = Field(default=None, description="present, blank, or a value")
    in_: list[Scalar] | None = Field(default=None, alias="in")
    not_in: list[Scalar] | None = None
    gt: Scalar = None
    lt: Scalar = None


class ScopeModel(Strict):
    crm: PredicateModel | None = Field(default=None, description="CRM records that may be created in marketing")
    marketing: PredicateModel | None = Field(default=None, description="Marketing records that may be created in the CRM")
    on_leave: Literal["keep", "archive", "unlink"] = "keep"


class CreateModel(Strict):
    crm: PredicateModel | None = Field(default=None, description="What must hold of a contact to be created in the CRM")
    marketing: PredicateModel | None = Field(default=None, description="What must hold of a contact to be created in marketing")


class DeleteModel(Strict):
    seen_in_crm: Literal["archive", "unlink", "keep"] = "unlink"
    seen_in_marketing: Literal["archive", "unlink", "keep"] = "unlink"
    erasure: Literal["both", "log"] = "both"


LimitText = Annotated[Limit, BeforeValidator(limit, json_schema_input_type=int | str)]


class LimitsModel(Strict):
    """A share of the linked contacts (1%), a count, or unlimited. A run that would exceed one stops before its first write."""

    deletes: LimitText = Limit(share=0.01)
    blanks: LimitText = Limit(share=0.02)
    unsubscribes: LimitText = Limit(share=0.05)
    overwrites: LimitText = Limit(share=0.2)
    empty_side: Literal["stop", "allow"] = "stop"


class PolicyModel(Strict):
    create: CreateModel = CreateModel()
    delete: DeleteModel = DeleteModel()
    limits: LimitsModel = LimitsModel()


class ConflictModel(Strict):
    """What happens when both sides changed. Which words go with which rule: see `consistency.RULES`."""

    rule: RuleName | None = None
    side: Side | None = Field(default=None, description="prefer: whose value wins")
    tie: Side | None = Field(default=None, description="newest: who wins when the times do not say")
    skew: DurationUs | None = Field(default=None, description="newest: clocks may differ by this, such as 2m")
    order: list[Text] | None = Field(default=None, description="furthest: first to last; most_restrictive: least to most")
    silent: list[Text] | None = Field(default=None, description="most_restrictive: values that say nothing")
    may_regress: Side | None = Field(default=None, description="furthest: the side that may go back")
    then: Conflict | None = Field(default=None, description="fill_blank: the rule when neither is blank")


Conflict = Annotated[ConflictModel, BeforeValidator(_short("rule"), json_schema_input_type=RuleName | ConflictModel)]


class OnBlankModel(Strict):
    crm: OnBlank | None = Field(default=None, description="What a blank coming from the CRM does to marketing")
    marketing: OnBlank | None = Field(default=None, description="What a blank coming from marketing does to the CRM")


Blanks = Annotated[OnBlankModel, BeforeValidator(_both, json_schema_input_type=OnBlank | OnBlankModel)]


class DefaultsModel(Strict):
    direction: Direction = "both"
    on_blank: Blanks = OnBlankModel()
    conflict: Conflict = ConflictModel(rule="newest")


class TextModel(Strict):
    trim: bool = Field(default=True, description="Outer spaces make no difference")
    max: Annotated[int, Field(ge=1)] | None = Field(default=None, description="The side holds this many characters")


class PhoneModel(Strict):
    region: Text | None = Field(default=None, description="Country (alpha-2) of numbers without a +")


class ScaleModel(Strict):
    factor: Annotated[float, Field(gt=0, strict=False)] = Field(description="Canonical value = native value × factor")


class InstantModel(Strict):
    zone: Text | None = Field(default=None, description="Time zone of wall times, such as Europe/Dublin")


class NameModel(Strict):
    part: Part


class CountryModel(Strict):
    crm: Form = "alpha2"
    marketing: Form = "alpha2"


class SideTransforms(Strict):
    """Transforms of one side."""

    text: TextModel | None = None
    phone: PhoneModel | None = None
    instant: InstantModel | None = None
    scale: ScaleModel | None = None
    split: Text | None = Field(default=None, description="The set is text, separated by this")
    name: NameModel | None = Field(default=None, description="The native field is a full name")


class Transforms(SideTransforms):
    """Transforms of both sides, unless put under `crm` or `marketing`. A `scale` given for both is marketing's."""

    country: Annotated[CountryModel, BeforeValidator(_both, json_schema_input_type=Form | CountryModel)] | None = None
    choices: Annotated[ValueTable, BeforeValidator(by_meaning_or_side, json_schema_input_type=dict[str, Any])] | None = None
    consent: Annotated[ValueTable, BeforeValidator(by_side, json_schema_input_type=dict[Side, dict[str, Plain]])] | None = None
    const: dict[Side, Scalar] | None = Field(default=None, description="A fixed value, given at creation")
    crm: SideTransforms | None = None
    marketing: SideTransforms | None = None


class GrantModel(Strict):
    requires: list[Literal["source", "at"]] = Field(description="Parts of the proof that must be there")
    writes: Text = Field(description="The consent written when one is given: ask again, do not re-subscribe")


class FieldModel(Strict):
    crm: Text | None = Field(default=None, description="Native name in the CRM")
    marketing: Text | None = Field(default=None, description="Native name in marketing")
    type: FieldType | None = None
    transform: Transforms = Transforms()
    direction: Direction | None = None
    when: Literal["create"] | None = Field(default=None, description="create: given at creation, never after")
    on_blank: Blanks = OnBlankModel()
    conflict: Conflict | None = None
    required_in: Annotated[
        list[Side], BeforeValidator(lambda w: [w] if isinstance(w, str) else w, json_schema_input_type=Side | list[Side])
    ] = []
    grant: GrantModel | None = None


class MappingModel(Strict):
    """One pair of objects, kept in step."""

    version: Literal[1]
    name: Text
    sides: SidesModel
    identity: IdentityModel
    scope: ScopeModel = ScopeModel()
    policy: PolicyModel = PolicyModel()
    defaults: DefaultsModel = DefaultsModel()
    fields: Annotated[dict[Text, FieldModel], Field(min_length=1)]


def json_schema() -> str:
    """The text of `schema.json`."""
    schema = MappingModel.model_json_schema(by_alias=True)
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "A Syncline mapping"}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA_FILE.write_text(json_schema(), encoding="utf-8")
