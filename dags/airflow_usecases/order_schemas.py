"""The order event's JSON Schema in its versions, and validation of documents against them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

V1: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "order",
    "version": 1,
    "type": "object",
    "required": ["order_id", "customer", "amount"],
    "properties": {
        "order_id": {"type": "string", "minLength": 1},
        "customer": {
            "type": "object",
            "required": ["id"],
            "properties": {"id": {"type": "string"}, "country": {"type": "string"}},
        },
        "amount": {"type": "number", "minimum": 0},
    },
}

V2: dict[str, Any] = V1 | {
    "version": 2,
    "properties": V1["properties"]
    | {
        "coupon": {"type": "string"},
        "lines": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["sku", "quantity"],
                "properties": {"sku": {"type": "string"}, "quantity": {"type": "integer", "minimum": 1}},
            },
        },
    },
}

VERSIONS: Mapping[str, dict[str, Any]] = {"1": V1, "2": V2}

DOCUMENTS: Sequence[dict[str, Any]] = (
    {"schema_version": "1", "order_id": "A-1", "customer": {"id": "c7"}, "amount": 19.9},
    {
        "schema_version": "2",
        "order_id": "A-2",
        "customer": {"id": "c8", "country": "PT"},
        "amount": 5,
        "lines": [{"sku": "mug", "quantity": 1}],
    },
)


class Invalid(TypedDict):
    """Why a document was refused: its position from 0, where in it (dotted path) and what."""

    document: int
    path: str
    problem: str


def invalid(
    documents: Sequence[Mapping[str, Any]], schemas: Mapping[str, Mapping[str, Any]] = VERSIONS
) -> list[Invalid]:
    """Every error of every document against the schema of its `schema_version`; empty when all are valid.

    A document without a known version is an error itself. The problem names the rule, never the value.
    """
    from jsonschema import Draft202012Validator

    validators = {version: Draft202012Validator(schema) for version, schema in schemas.items()}
    found: list[Invalid] = []
    for position, document in enumerate(documents):
        validator = validators.get(str(document.get("schema_version")))
        if validator is None:
            found.append(
                Invalid(document=position, path="schema_version", problem=f"none of {', '.join(schemas)}")
            )
            continue
        for error in sorted(validator.iter_errors(document), key=lambda error: error.json_path):
            found.extend(
                Invalid(document=position, path=path, problem=problem) for path, problem in _told(error)
            )
    return found


def _told(error: Any) -> list[tuple[str, str]]:
    path = error.json_path.removeprefix("$").removeprefix(".")
    if error.validator == "required":  # jsonschema names the object; name the field that is missing
        missing = [name for name in error.validator_value if name not in error.instance]
        named = error.message.split("'")[1]
        field = named if named in missing else missing[0]
        return [(f"{path}.{field}" if path else field, "is required")]
    return [(path or "(document)", f"violates {error.validator} {error.validator_value}")]
