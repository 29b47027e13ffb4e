"""Airflow's REST API as the operator needs it (3.3: /api/v2, and /auth/fab/v1 for roles)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp

from tenant_operator.adapters.airflow_bulk import BulkWriter, Entity
from tenant_operator.adapters.airflow_http import Answer, Transport, explain
from tenant_operator.core.airflow_errors import AirflowRejected, AirflowUnavailable
from tenant_operator.core.airflow_types import (
    DEFAULT_POOL,
    Connection,
    DagFacts,
    Health,
    ObjectError,
    ObjectKind,
    ObservedObjects,
    Pool,
    Role,
    Upsert,
    Variable,
)

PAGE = 100  # Airflow silently returns no more than this
MAX_PAGES = 100
ROLES = "/auth/fab/v1/roles"
_PARTS = ("metadatabase", "scheduler", "dag_processor", "triggerer")
_LISTS: Mapping[ObjectKind, tuple[str, str]] = {
    ObjectKind.POOLS: ("/api/v2/pools", "name"),
    ObjectKind.VARIABLES: ("/api/v2/variables", "key"),
    ObjectKind.CONNECTIONS: ("/api/v2/connections", "connection_id"),
    ObjectKind.ROLES: (ROLES, "name"),
}

Item = dict[str, Any]
_Parsed = TypeVar("_Parsed")


class AirflowApi:
    """Implements core.airflow_types.AirflowPort for one Airflow; cheap to make, keeps its token.

    `options` are those of adapters.airflow_http.Transport (deadlines, concurrency).
    """

    def __init__(
        self, session: aiohttp.ClientSession, url: str, username: str, password: str, **options: Any
    ) -> None:
        self._transport = Transport(session, url, username, password, **options)

    async def observe(self, kinds: Collection[ObjectKind]) -> ObservedObjects:
        """See AirflowPort. Costs one request per kind and 100 objects."""
        wanted = [kind for kind in ObjectKind if kind in kinds]
        found = await asyncio.gather(*(self._list(kind) for kind in wanted))
        items = dict(zip(wanted, found, strict=True))
        return ObservedObjects(
            pools=_parse(items.get(ObjectKind.POOLS), _pool),
            variables=_parse(items.get(ObjectKind.VARIABLES), _variable),
            connections=_parse(items.get(ObjectKind.CONNECTIONS), _connection),
            roles=_parse(items.get(ObjectKind.ROLES), _role),
        )

    async def upsert(self, kind: ObjectKind, changes: Sequence[Upsert]) -> tuple[ObjectError, ...]:
        """See AirflowPort. One request per 500 objects, or one per role."""
        if kind is ObjectKind.ROLES:
            return await self._upsert_roles(changes)
        errors: list[ObjectError] = []
        writer = BulkWriter(self._transport, kind)
        errors += await writer.delete([change.name for change in changes if change.recreate])
        in_bulk: list[Entity] = []
        for change in changes:
            if kind is ObjectKind.POOLS and change.name == DEFAULT_POOL and change.exists:
                errors += await self._patch_default_pool(change)
            else:
                in_bulk.append(Entity.of(change.object))
        return (*errors, *await writer.upsert(in_bulk))

    async def delete(self, kind: ObjectKind, names: Collection[str]) -> tuple[ObjectError, ...]:
        """See AirflowPort. Refuses default_pool: Airflow's bulk request would delete it."""
        if kind is not ObjectKind.ROLES:
            return await BulkWriter(self._transport, kind).delete(set(names) - {DEFAULT_POOL})
        errors: list[ObjectError] = []
        for name in sorted(names):
            answer = await self._transport.request("DELETE", _role_path(name))
            if not answer.ok and answer.status != 404:
                errors.append(_error(kind, name, answer))
        return tuple(errors)

    async def version(self) -> str:
        """See AirflowPort. Needs no login."""
        return str((await self._transport.get("/api/v2/version", public=True)).get("version", ""))

    async def health(self) -> Health:
        """See AirflowPort. Needs no login; Airflow answers 200 whatever the body says."""
        return _health(await self._transport.get("/api/v2/monitor/health", public=True))

    async def dag_facts(self, bundle: str) -> DagFacts:
        """See AirflowPort. Two requests; the version is taken from the first 100 DAGs."""
        of_bundle = ("bundle_name", bundle)
        dags, broken = await asyncio.gather(
            self._transport.get("/api/v2/dags", [of_bundle, ("limit", str(PAGE))]),
            self._transport.get("/api/v2/importErrors", [of_bundle, ("limit", "1")]),
        )
        newest = max(_items(dags, "dags"), key=lambda dag: str(dag.get("last_parsed_time") or ""), default={})
        return DagFacts(
            bundle=bundle,
            count=_total(dags),
            version=str(newest.get("bundle_version") or ""),
            import_errors=_total(broken),
            first_import_error=next(map(_import_error, _items(broken, "import_errors")), ""),
        )

    async def _list(self, kind: ObjectKind) -> list[Item]:
        first = await self._page(kind, 0)
        total = _total(first)
        if total > PAGE * MAX_PAGES:
            raise AirflowRejected(kind.value, f"Airflow holds {total}: more than {PAGE * MAX_PAGES}")
        rest = await asyncio.gather(*(self._page(kind, offset) for offset in range(PAGE, total, PAGE)))
        return [item for page in (first, *rest) for item in _items(page, kind.value)]

    async def _page(self, kind: ObjectKind, offset: int) -> Item:
        path, order = _LISTS[kind]
        params = [("limit", str(PAGE)), ("offset", str(offset)), ("order_by", order)]
        page: Item = await self._transport.get(path, params)
        return page

    async def _patch_default_pool(self, change: Upsert) -> list[ObjectError]:
        body = {key: value for key, value in Entity.of(change.object).body.items() if key != "description"}
        mask = [("update_mask", "slots"), ("update_mask", "include_deferred")]
        answer = await self._transport.request("PATCH", f"/api/v2/pools/{DEFAULT_POOL}", mask, body)
        return [] if answer.ok else [_error(change.kind, change.name, answer)]

    async def _upsert_roles(self, changes: Sequence[Upsert]) -> tuple[ObjectError, ...]:
        errors: list[ObjectError] = []
        for change in changes:
            body = Entity.of(change.object).body
            answer = None if change.exists else await self._transport.request("POST", ROLES, body=body)
            if answer is None or answer.status == 409:  # there already: our own repeated POST, or a race
                answer = await self._transport.request("PATCH", _role_path(change.name), body=body)
            if not answer.ok:
                errors.append(_error(change.kind, change.name, answer))
        return tuple(errors)


def _role_path(name: str) -> str:
    return f"{ROLES}/{quote(name, safe='')}"


def _error(kind: ObjectKind, name: str, answer: Answer) -> ObjectError:
    return ObjectError(kind, name, f"{explain(answer.body) or 'refused'} (HTTP {answer.status})")


def _total(page: Item) -> int:
    total = page.get("total_entries")
    if not isinstance(total, int) or total < 0:
        raise AirflowUnavailable("a list without total_entries: is this Airflow?")
    return total


def _items(page: Item, key: str) -> list[Item]:
    items = page.get(key)
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _parse(items: list[Item] | None, parse: Callable[[Item], _Parsed]) -> tuple[_Parsed, ...]:
    try:
        return tuple(map(parse, items or ()))
    except (KeyError, TypeError, ValueError) as error:
        raise AirflowUnavailable(f"unexpected answer: {type(error).__name__} in a list") from None


def _pool(item: Item) -> Pool:
    return Pool(
        name=str(item["name"]),
        slots=int(item["slots"]),
        description=item.get("description") or "",
        include_deferred=bool(item["include_deferred"]),
    )


def _variable(item: Item) -> Variable:
    value = item.get("value")
    return Variable(
        key=str(item["key"]),
        value="" if value is None else str(value),
        description=item.get("description") or "",
    )


def _connection(item: Item) -> Connection:
    extra = json.loads(item.get("extra") or "{}")
    return Connection(
        id=str(item["connection_id"]),
        conn_type=str(item["conn_type"]),
        host=item.get("host") or "",
        port=item.get("port"),
        schema=item.get("schema") or "",
        login=item.get("login") or "",
        password=item.get("password") or None,
        extra=extra if isinstance(extra, dict) else {},
        description=item.get("description") or "",
    )


def _role(item: Item) -> Role:
    pairs = ((pair["action"]["name"], pair["resource"]["name"]) for pair in item.get("actions") or ())
    return Role(str(item["name"]), frozenset((str(action), str(resource)) for action, resource in pairs))


def _health(body: Item) -> Health:
    """The body tells, not the code: Airflow answers 200 even when its database is down."""
    parts = {name: found if isinstance(found := body.get(name), dict) else {} for name in _PARTS}
    statuses = {name: str(part.get("status") or "") for name, part in parts.items()}
    if not statuses["metadatabase"]:
        raise AirflowUnavailable("a health answer without metadatabase: is this Airflow?")
    beats = {
        name.replace("_", "-"): at
        for name, part in parts.items()
        if (at := _seconds(part.get(f"latest_{name}_heartbeat"))) is not None
    }
    return Health(**statuses, heartbeats=beats)


def _seconds(stamp: Any) -> float | None:
    """Seconds since the epoch of an ISO 8601 time; one without a zone is no time at all."""
    try:
        at = datetime.fromisoformat(stamp)
        return at.timestamp() if at.tzinfo is not None else None
    except (TypeError, ValueError, OverflowError):
        return None


def _import_error(item: Item) -> str:
    """File and last line of the stack trace, which says what is wrong."""
    lines = str(item.get("stack_trace") or "").strip().splitlines()
    return f"{item.get('filename')}: {lines[-1].strip() if lines else 'import failed'}"[:300]
