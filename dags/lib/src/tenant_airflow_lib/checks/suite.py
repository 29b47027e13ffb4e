"""Expectations as data; names, parameters and JSON are those of Great Expectations 1.x: a suite moves over.

Four kinds are enough to guard most loads; what is rarer is better said in SQL (`check_zero_rows`) or left to
Great Expectations itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Self, TypedDict

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class ExpectationDict(TypedDict):
    """An expectation as Great Expectations 1.x stores it."""

    type: str
    kwargs: dict[str, Any]


class Expectation(BaseModel):
    """A rule. Its text, `type(parameter, ...)`, is its name in reports."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    type: ClassVar[str]

    def to_dict(self) -> ExpectationDict:
        """As Great Expectations' JSON, without parameters that have their default."""
        return {"type": self.type, "kwargs": self.model_dump(exclude_defaults=True)}

    def __str__(self) -> str:
        given = self.model_dump(exclude_defaults=True)
        column = given.pop("column", None)
        parts = [column] if column else []
        return f"{self.type}({', '.join([*parts, *(f'{name}={value}' for name, value in given.items())])})"


class ColumnExists(Expectation):
    """The table has the column."""

    type: ClassVar[Literal["expect_column_to_exist"]] = "expect_column_to_exist"
    column: str = Field(min_length=1)


class NotNull(Expectation):
    """At least the share `mostly` (0 to 1) of a column's values is there. Holds for a table without rows."""

    type: ClassVar[Literal["expect_column_values_to_not_be_null"]] = "expect_column_values_to_not_be_null"
    column: str = Field(min_length=1)
    mostly: float = Field(default=1.0, ge=0, le=1)


class _Bounds(Expectation):
    @model_validator(mode="after")
    def _ordered(self) -> Self:
        low, high = getattr(self, "min_value", None), getattr(self, "max_value", None)
        if low is None and high is None:
            raise ValueError("min_value or max_value is needed")
        if low is not None and high is not None and low > high:
            raise ValueError("min_value is above max_value")
        return self


class Between(_Bounds):
    """At least the share `mostly` of the column's non-null values is a number in [min_value, max_value].

    `strict_min` and `strict_max` exclude the bound itself. Text that is no number is a violation; nulls are
    not: they are `NotNull`'s matter.
    """

    type: ClassVar[Literal["expect_column_values_to_be_between"]] = "expect_column_values_to_be_between"
    column: str = Field(min_length=1)
    min_value: int | float | None = None
    max_value: int | float | None = None
    strict_min: bool = False
    strict_max: bool = False
    mostly: float = Field(default=1.0, ge=0, le=1)

    def holds(self, value: object) -> bool:
        """Whether one non-null value is in the range."""
        try:
            number = float(value)  # type: ignore[arg-type] # whatever is no number raises
        except (TypeError, ValueError):
            return False
        return self._above(number) and self._below(number)

    def _above(self, number: float) -> bool:
        if self.min_value is None:
            return number == number  # not NaN
        return number > self.min_value if self.strict_min else number >= self.min_value

    def _below(self, number: float) -> bool:
        if self.max_value is None:
            return number == number
        return number < self.max_value if self.strict_max else number <= self.max_value


class RowCount(_Bounds):
    """The table has min_value to max_value rows."""

    type: ClassVar[Literal["expect_table_row_count_to_be_between"]] = "expect_table_row_count_to_be_between"
    min_value: int | None = Field(default=None, ge=0)
    max_value: int | None = Field(default=None, ge=0)

    def holds(self, rows: int) -> bool:
        """Whether the number of rows is in the range."""
        return (self.min_value is None or rows >= self.min_value) and (
            self.max_value is None or rows <= self.max_value
        )


KINDS: Mapping[str, type[Expectation]] = {
    kind.type: kind for kind in (ColumnExists, NotNull, Between, RowCount)
}


class Suite(BaseModel):
    """A named list of expectations, at least one."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str = Field(min_length=1)
    expectations: Sequence[Expectation] = Field(min_length=1)

    @field_validator("expectations", mode="before")
    @classmethod
    def _from_json(cls, value: Any) -> Any:
        if not isinstance(value, Sequence) or isinstance(value, str):
            return value
        return [_expectation(item) for item in value]

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """From Great Expectations' JSON: `name` and `expectations`; other keys (id, meta, notes) are ignored.

        Raises ValueError (pydantic's ValidationError) for an unknown type or parameter.
        """
        return cls(name=data.get("name", ""), expectations=data.get("expectations", []))

    def to_dict(self) -> dict[str, Any]:
        """As Great Expectations' JSON."""
        return {"name": self.name, "expectations": [rule.to_dict() for rule in self.expectations]}


def _expectation(item: Any) -> Any:
    if not isinstance(item, Mapping):
        return item
    kind = KINDS.get(str(item.get("type")))
    if kind is None:
        raise ValueError(f"unknown expectation {item.get('type')!r}; known: {', '.join(KINDS)}")
    return kind(**item.get("kwargs", {}))
