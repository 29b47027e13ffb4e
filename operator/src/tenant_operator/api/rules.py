"""Building blocks of the models: rules that Python and the API server both enforce, and shared types.

A rule is written once. Pydantic checks it when the operator reads a tenant; the CRD carries the same
check as CEL, so that `kubectl apply` refuses bad input with the same sentence:
https://kubernetes.io/docs/reference/using-api/cel/
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

Json = dict[str, Any]


class Model(BaseModel):
    """Base of every part of the API: camelCase on the wire, unknown fields refused, immutable."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
    )
    #: CEL rules of the whole object, as the CRD carries them
    cel: ClassVar[tuple[Json, ...]] = ()


def cel(rule: str, message: str, **more: str) -> Json:
    """One x-kubernetes-validations entry."""
    return {"rule": rule, "message": message, **more}


@dataclass(frozen=True, slots=True)
class Matches:
    """A string rule by a regular expression that RE2 and Python read alike (`$` is the very end in both).

    `forbid` turns it round: the expression must not be found. The message is what the user reads.
    """

    pattern: str
    message: str
    forbid: bool = False

    def _check(self, value: str) -> str:
        # Python's `$` would also match before a last line break, and its `\s` beyond ASCII.
        expression = self.pattern.replace("$", r"\Z")
        if (re.search(expression, value, re.ASCII) is not None) == self.forbid:
            raise ValueError(self.message)
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        json_schema = handler(schema)
        quoted = self.pattern.replace("\\", "\\\\").replace("'", "\\'")
        call = f"self.matches('{quoted}')"
        rules = list(json_schema.get("x-kubernetes-validations", []))
        json_schema["x-kubernetes-validations"] = [
            cel(f"!{call}" if self.forbid else call, self.message),
            *rules,
        ]
        return json_schema


#: No more digits than CEL's duration() can count: an int64 of nanoseconds, 292 years.
DURATION = r"^([0-9]{1,6}h)?([0-9]{1,7}m)?([0-9]{1,8}s)?$"


class DurationRule(ABC):
    """A rule about the length of a duration; whether it is one at all, the type Duration says."""

    @property
    @abstractmethod
    def message(self) -> str:
        """What the user reads."""

    @property
    @abstractmethod
    def condition(self) -> str:
        """The rest of the CEL rule `duration(self) ...`."""

    @abstractmethod
    def fits(self, length: int) -> bool:
        """Whether a duration of so many seconds is allowed."""

    def _check(self, value: str) -> str:
        if not self.fits(seconds(value)):
            raise ValueError(self.message)
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        json_schema = handler(schema)
        # What is no duration at all is refused by a rule of its own; duration() would only add an error.
        rule = f"!self.matches('{DURATION}') || self == '' || duration(self) {self.condition}"
        rules = json_schema.get("x-kubernetes-validations", [])
        json_schema["x-kubernetes-validations"] = [cel(rule, self.message), *rules]
        return json_schema


@dataclass(frozen=True)
class AtLeast(DurationRule):
    """The shortest duration allowed, for example 5s."""

    shortest: str

    @property
    def message(self) -> str:
        """See DurationRule."""
        return f"must be at least {self.shortest}"

    @property
    def condition(self) -> str:
        """See DurationRule."""
        return f">= duration('{self.shortest}')"

    def fits(self, length: int) -> bool:
        """See DurationRule."""
        return length >= seconds(self.shortest)


@dataclass(frozen=True, slots=True)
class Extra:
    """Adds keywords to a field's JSON schema (list types, int-or-string)."""

    keywords: tuple[tuple[str, Any], ...]

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        json_schema = handler(schema)
        json_schema.update(dict(self.keywords))
        return json_schema


def keyed_by(*keys: str) -> Extra:
    """A list whose entries the API server keeps unique by these fields, and merges one by one."""
    return Extra((("x-kubernetes-list-type", "map"), ("x-kubernetes-list-map-keys", list(keys))))


_QUANTITY = r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$"


@dataclass(frozen=True, slots=True)
class IntOrString:
    """Kubernetes' way of taking both `2` and `"2"`; the value is kept as a string."""

    pattern: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(
            lambda value: str(value) if type(value) is int else value, handler(source)
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        # CEL cannot look into int-or-string, so this one rule is a pattern, as in Kubernetes' own CRDs.
        return {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "pattern": self.pattern,
            "x-kubernetes-int-or-string": True,
        }


@dataclass(frozen=True, slots=True)
class PythonMatches:
    """The Python half of a rule whose other half is a pattern in the CRD."""

    pattern: str
    message: str

    def _check(self, value: str) -> str:
        if re.search(self.pattern.replace("$", r"\Z"), value, re.ASCII) is None:
            raise ValueError(self.message)
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))


Quantity = Annotated[
    str,
    Field(max_length=32),
    PythonMatches(_QUANTITY, "must be a Kubernetes quantity, for example 500m, 2 or 1Gi"),
    IntOrString(_QUANTITY),
]
#: Like Quantity, but a string only: CEL can compare it with its old value.
TextQuantity = Annotated[
    str,
    Field(max_length=32),
    Matches(_QUANTITY, "must be a Kubernetes quantity, for example 500m, 2 or 1Gi"),
]
Duration = Annotated[
    str,
    Field(max_length=16),
    Matches(DURATION, "must be a duration, for example 30s, 5m or 1h30m"),
    Matches(r"[1-9]", "must be longer than zero"),
]
ObjectName = Annotated[
    str,
    Field(min_length=1, max_length=253),
    Matches(r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", "must be a Kubernetes object name"),
]
SecretKey = Annotated[
    str,
    Field(min_length=1, max_length=253),
    Matches(r"^[-._a-zA-Z0-9]+$", "must be a key of a Secret: letters, digits, '-', '_' and '.'"),
]


class SecretKeyRef(Model):
    """One key of a Secret in the tenant's own namespace."""

    name: ObjectName
    """Name of the Secret in the tenant's namespace."""
    key: SecretKey
    """Key in the Secret's data."""


class SecretRef(Model):
    """A Secret in the tenant's own namespace."""

    name: ObjectName
    """Name of the Secret in the tenant's namespace."""


class Resources(Model):
    """Compute resources of one container."""

    requests: dict[str, Quantity] = Field(default_factory=dict, max_length=16)
    """What the scheduler sets aside, for example {cpu: 500m, memory: 1Gi}."""
    limits: dict[str, Quantity] = Field(default_factory=dict, max_length=16)
    """What the container may not exceed."""


def seconds(duration: str) -> int:
    """The length of a duration string in seconds."""
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"([0-9]+)([hms])", duration))
