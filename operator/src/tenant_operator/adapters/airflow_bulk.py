"""Write many objects of one kind in one request, and find out which of them Airflow refuses.

The bulk endpoints answer 200 with errors inside for some mistakes and refuse the whole request for
others (422 for a wrong field, 409 or 500 from the database), in which case nothing was written. Each
refused request is narrowed down, by the indexes in the answer or by halves, so that one bad object
costs a few requests and the others are written all the same.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tenant_operator.adapters.airflow_http import Answer, Transport, explain
from tenant_operator.core.airflow_types import (
    AirflowObject,
    Connection,
    ObjectError,
    ObjectKind,
    Pool,
    Role,
    Variable,
)

CHUNK = 500  # objects in one request
MAX_REFUSALS = 64  # refused requests after which the rest of a kind is given up until the next sync
_SHORT = 4  # shorter strings are no secrets worth hiding, and hiding them would garble messages


@dataclass(frozen=True, slots=True)
class Entity:
    """An object as it goes over the wire."""

    name: str
    body: Mapping[str, Any] = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, item: AirflowObject) -> Entity:
        """The wire form. Every field is sent: what is left out keeps its value or becomes null."""
        match item:
            case Pool():
                body: dict[str, Any] = {
                    "name": item.name,
                    "slots": item.slots,
                    "description": item.description,
                    "include_deferred": item.include_deferred,
                }
                return cls(item.name, body)
            case Variable():
                body = {"key": item.key, "value": item.value, "description": item.description}
                return cls(item.key, body, (item.value,))
            case Connection():
                return cls(item.id, _connection(item), tuple(_secrets(item)))
            case Role():
                actions = [
                    {"action": {"name": action}, "resource": {"name": resource}}
                    for action, resource in sorted(item.permissions)
                ]
                return cls(item.name, {"name": item.name, "actions": actions})


class BulkWriter:
    """Writes and deletes through `PATCH /api/v2/{kind}`; one instance for one kind and one call."""

    def __init__(self, transport: Transport, kind: ObjectKind) -> None:
        self._transport = transport
        self._kind = kind
        self._refusals = 0

    async def upsert(self, entities: Sequence[Entity]) -> tuple[ObjectError, ...]:
        """Create or overwrite; returns those that were refused."""
        errors: list[ObjectError] = []
        for start in range(0, len(entities), CHUNK):
            errors += await self._upsert(entities[start : start + CHUNK])
        return tuple(errors)

    async def delete(self, names: Collection[str]) -> tuple[ObjectError, ...]:
        """Delete those that exist."""
        errors: list[ObjectError] = []
        ordered = sorted(names)
        for start in range(0, len(ordered), CHUNK):
            chunk = ordered[start : start + CHUNK]
            action = {"action": "delete", "action_on_non_existence": "skip", "entities": chunk}
            answer = await self._send(action)
            message = _message(answer, "delete")
            if message:
                errors += [ObjectError(self._kind, name, message) for name in chunk]
        return tuple(errors)

    async def _upsert(self, entities: Sequence[Entity]) -> list[ObjectError]:
        if not entities:
            return []
        if self._refusals >= MAX_REFUSALS:
            return [self._error(e, "not tried: too many other objects were refused") for e in entities]
        answer = await self._send(
            {
                "action": "create",
                "action_on_existence": "overwrite",
                "entities": [entity.body for entity in entities],
            }
        )
        message = _message(answer, "create")
        if not message:
            return []
        self._refusals += 1
        written = _written(answer)
        left = [entity for entity in entities if entity.name not in written]
        named = _culprits(answer, len(entities))
        if named:
            return [
                *(self._error(entities[index], why) for index, why in named.items()),
                *await self._upsert([e for index, e in enumerate(entities) if index not in named]),
            ]
        if len(left) <= 1:
            return [self._error(entity, message) for entity in left]
        half = len(left) // 2
        return [*await self._upsert(left[:half]), *await self._upsert(left[half:])]

    async def _send(self, action: Mapping[str, Any]) -> Answer:
        return await self._transport.request("PATCH", f"/api/v2/{self._kind}", body={"actions": [action]})

    def _error(self, entity: Entity, message: str) -> ObjectError:
        return ObjectError(self._kind, entity.name, scrub(message, entity.secrets))


def scrub(message: str, secrets: Collection[str]) -> str:
    """The message without any of the secrets, should Airflow echo them."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORT:
            message = message.replace(secret, "***").replace(json.dumps(secret)[1:-1], "***")
    return message


def _message(answer: Answer, action: str) -> str:
    """Why a bulk request failed, wholly or in part; empty when all went well."""
    if not answer.ok:
        return f"{explain(answer.body) or 'refused'} (HTTP {answer.status})"
    errors = _part(answer, action).get("errors") or []
    words = (str(error.get("error", "refused"))[:300] for error in errors if isinstance(error, dict))
    return "; ".join(list(words)[:3])


def _part(answer: Answer, action: str) -> dict[str, Any]:
    part = answer.body.get(action) if isinstance(answer.body, dict) else None
    return part if isinstance(part, dict) else {}


def _written(answer: Answer) -> set[str]:
    return {str(name) for name in _part(answer, "create").get("success") or ()} if answer.ok else set()


def _culprits(answer: Answer, count: int) -> dict[int, str]:
    """What a validation error says about which entity, by index: loc is [..., "entities", 3, "slots"]."""
    detail = answer.body.get("detail") if isinstance(answer.body, dict) else None
    found: dict[int, str] = {}
    for item in detail if isinstance(detail, list) else ():
        loc = item.get("loc") if isinstance(item, dict) else None
        if not isinstance(loc, list) or "entities" not in loc[:-1]:
            continue
        index = loc[loc.index("entities") + 1]
        if isinstance(index, int) and 0 <= index < count:
            found.setdefault(index, explain({"detail": [item]}))
    return found


def _connection(item: Connection) -> dict[str, Any]:
    return {
        "connection_id": item.id,
        "conn_type": item.conn_type,
        "host": item.host or None,
        "port": item.port,
        "schema": item.schema or None,
        "login": item.login or None,
        "password": item.password or None,
        "extra": json.dumps(item.extra, sort_keys=True),
        "description": item.description,
    }


def _secrets(item: Connection) -> Iterator[str]:
    if item.password:
        yield item.password
    yield from _strings(item.extra)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _strings(inner)
