"""Which changes of a JSON Schema keep producers and consumers working (draft 2020-12, objects and arrays).

The words are those of schema registries:

- backward: a consumer with the *new* schema reads documents of the *old* one. Deploy consumers first.
- forward: a consumer with the *old* schema reads documents of the *new* one. Deploy producers first.
- full: both.

Every difference is judged by one question: are there documents that the writer's schema allows and the
reader's does not? Compared are type, required, properties, additionalProperties, enum, items and the bounds
of numbers, texts and lists; a reader's other keywords must be equal to the writer's, since nothing can be
said about them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, TypedDict

Schema = Mapping[str, Any]


class Mode(StrEnum):
    """Who has to be able to read what."""

    BACKWARD = "backward"
    FORWARD = "forward"
    FULL = "full"


class Break(TypedDict):
    """Why a change breaks somebody: which direction, where (dotted path, `[]` for items) and what."""

    mode: str
    path: str
    problem: str


# keyword -> whether a higher value is stricter
_BOUNDS = {
    "minimum": True,
    "exclusiveMinimum": True,
    "minLength": True,
    "minItems": True,
    "minProperties": True,
    "maximum": False,
    "exclusiveMaximum": False,
    "maxLength": False,
    "maxItems": False,
    "maxProperties": False,
}
_JUDGED = {"type", "required", "properties", "additionalProperties", "enum", "items", *_BOUNDS}
# they say nothing about which documents are allowed
_REMARKS = {
    "$schema",
    "$id",
    "$comment",
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "version",
}


def breaks(old: Schema, new: Schema, mode: Mode | str = Mode.BACKWARD) -> list[Break]:
    """What of the change from `old` to `new` breaks consumers in that mode; empty when it is compatible.

    Raises ValueError for another mode.
    """
    mode = Mode(mode)
    found: list[Break] = []
    if mode in (Mode.BACKWARD, Mode.FULL):
        found += [Break(mode="backward", path=path, problem=text) for path, text in _unreadable(old, new)]
    if mode in (Mode.FORWARD, Mode.FULL):
        found += [Break(mode="forward", path=path, problem=text) for path, text in _unreadable(new, old)]
    return found


def _unreadable(writer: Schema, reader: Schema, path: str = "") -> Iterator[tuple[str, str]]:
    """Where documents of `writer` may be refused by `reader`."""
    here = path or "(document)"
    yield from ((here, problem) for problem in _values(writer, reader))
    yield from _required(writer, reader, path)
    yield from _properties(writer, reader, path)
    if isinstance(reader.get("items"), Mapping):
        yield from _unreadable(writer.get("items", {}), reader["items"], f"{path}[]")


def _values(writer: Schema, reader: Schema) -> Iterator[str]:
    if "type" in reader:
        lost = _types(writer) - _types(reader)
        if lost:
            yield f"type {' or '.join(sorted(lost))} is not read as {' or '.join(sorted(_types(reader)))}"
    if "enum" in reader:
        lost = {repr(value) for value in writer.get("enum", ["any value"])} - {
            repr(value) for value in reader["enum"]
        }
        if lost:
            yield f"not in the reader's enum: {', '.join(sorted(lost))}"
    for keyword, higher_is_stricter in _BOUNDS.items():
        if keyword in reader and _stricter(writer.get(keyword), reader[keyword], higher_is_stricter):
            yield f"{keyword} {reader[keyword]} is stricter than {writer.get(keyword, 'none')}"
    for keyword in sorted(reader.keys() - _JUDGED - _REMARKS):
        if reader[keyword] != writer.get(keyword):
            yield f"{keyword} differs, cannot be compared"


def _types(schema: Schema) -> set[str]:
    """The allowed types; `number` allows integers."""
    given = schema.get("type", ["array", "boolean", "null", "number", "object", "string"])
    types = {given} if isinstance(given, str) else set(given)
    return types | {"integer"} if "number" in types else types


def _stricter(writer: float | None, reader: float, higher_is_stricter: bool) -> bool:
    if writer is None:
        return True
    return reader > writer if higher_is_stricter else reader < writer


def _required(writer: Schema, reader: Schema, path: str) -> Iterator[tuple[str, str]]:
    for name in sorted(set(reader.get("required", [])) - set(writer.get("required", []))):
        there = name in writer.get("properties", {})
        yield (
            _join(path, name),
            f"required by the reader, {'optional' if there else 'not there'} at the writer",
        )


def _properties(writer: Schema, reader: Schema, path: str) -> Iterator[tuple[str, str]]:
    of_writer, of_reader = writer.get("properties", {}), reader.get("properties", {})
    for name, schema in of_writer.items():
        if name in of_reader:
            yield from _unreadable(schema, of_reader[name], _join(path, name))
        elif reader.get("additionalProperties") is False:
            yield _join(path, name), "unknown to the reader, which allows no further properties"
    closed = reader.get("additionalProperties") is False
    if closed and _types(writer) & {"object"} and writer.get("additionalProperties") is not False:
        yield path or "(document)", "the writer may add properties, the reader allows none"


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
