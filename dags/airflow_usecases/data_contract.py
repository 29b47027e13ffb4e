"""Data contracts: what an owner promises about an asset, whether a delivery keeps it, what a change breaks.

A contract is plain data, so that it can live in YAML beside the DAGs:

    asset: orders_clean
    owner: data_engineering
    version: 2
    consumers: [analytics, ml]
    max_age_hours: 26
    fields:
      - {name: day, type: date}
      - {name: rows, type: integer, minimum: 1}
      - {name: note, type: string, required: false}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

_NARROWER = {("integer", "number")}  # every integer is a number: who reads numbers reads these too


class ContractError(ValueError):
    """A contract is not well formed."""


@dataclass(frozen=True)
class Field:
    """One promised field; `type` is string, integer, number, boolean or date (ISO text)."""

    name: str
    type: str
    required: bool = True
    minimum: float | None = None

    def problem(self, value: Any) -> str | None:
        """What is wrong with a value, or None."""
        if not _TYPES[self.type](value):
            return f"{self.name}: {value!r} is no {self.type}"
        if self.minimum is not None and value < self.minimum:
            return f"{self.name}: {value!r} is below {self.minimum:g}"
        return None


@dataclass(frozen=True)
class Contract:
    """What `owner` promises its `consumers` about `asset`; a delivery is not older than `max_age`."""

    asset: str
    owner: str
    version: int
    fields: tuple[Field, ...]
    consumers: tuple[str, ...] = ()
    max_age: timedelta | None = None

    def violations(self, delivery: Mapping[str, Any]) -> list[str]:
        """What a delivery breaks, one text per field in the contract's order. Unknown fields are allowed."""
        found: list[str] = []
        for field in self.fields:
            if delivery.get(field.name) is None:
                if field.required:
                    found.append(f"{field.name}: missing")
                continue
            problem = field.problem(delivery[field.name])
            if problem:
                found.append(problem)
        return found

    def is_late(self, age: timedelta) -> bool:
        """Whether data of this age breaks the agreement between the teams; never without `max_age`."""
        return self.max_age is not None and age > self.max_age


def parse_contract(body: Mapping[str, Any]) -> Contract:
    """A contract from its plain form. Raises ContractError that names what is wrong."""
    try:
        fields = tuple(
            Field(str(f["name"]), str(f["type"]), bool(f.get("required", True)), f.get("minimum"))
            for f in body["fields"]
        )
        hours = body.get("max_age_hours")
        contract = Contract(
            asset=str(body["asset"]),
            owner=str(body["owner"]),
            version=int(body["version"]),
            fields=fields,
            consumers=tuple(body.get("consumers", ())),
            max_age=None if hours is None else timedelta(hours=float(hours)),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ContractError(f"not a contract: {error}") from error
    unknown = sorted({field.type for field in fields} - _TYPES.keys())
    if unknown:
        raise ContractError(f"{contract.asset}: no such type: {', '.join(unknown)}")
    if len({field.name for field in fields}) != len(fields):
        raise ContractError(f"{contract.asset}: a field is named twice")
    return contract


def breaking_changes(old: Contract, new: Contract) -> list[str]:
    """What readers of `old` cannot live with in `new`; empty when the change is compatible.

    Breaking: a field is gone, has another type, or was always there and now may be absent. New fields are
    fine.
    """
    after = {field.name: field for field in new.fields}
    found: list[str] = []
    for field in old.fields:
        now = after.get(field.name)
        if now is None:
            found.append(f"{field.name}: removed")
        elif now.type != field.type and (now.type, field.type) not in _NARROWER:
            found.append(f"{field.name}: {field.type} became {now.type}")
        elif field.required and not now.required:
            found.append(f"{field.name}: no longer always there")
    return found


def _is_date(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(date.fromisoformat(value))
    except ValueError:
        return False


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TYPES = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": _is_number,
    "boolean": lambda value: isinstance(value, bool),
    "date": _is_date,
}
