"""Compare what the spec wants inside Airflow with what is there. Pure: values in, values out.

Airflow never shows a secret again, so every description ends with a mark:

    Warehouse (managed by AirflowTenant/payments, rev 3f9a0c55d1e2b764)

`rev` is a keyed digest (HMAC-SHA256, 64 bits of it) over the whole wanted object, secrets included. It
tells three cases apart without storing anything elsewhere: same rev and same fields: nothing to do; same
rev but another field differs: somebody changed it by hand; another rev: the spec or a Secret changed.
What the mark cannot show is a secret that somebody replaced by hand.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from tenant_operator.core.airflow_errors import InvalidObject
from tenant_operator.core.airflow_types import (
    BUILTIN_ROLES,
    DEFAULT_POOL,
    Action,
    AirflowObject,
    Connection,
    Delete,
    DesiredObjects,
    Difference,
    Mode,
    ObjectKind,
    ObservedObjects,
    OwnedNames,
    Plan,
    Pool,
    Reason,
    Role,
    Upsert,
    Variable,
)

MASK = "***"
#: Airflow's secrets masker recompiles one pattern of all known secrets for each new one: quadratic.
MANY_PASSWORDS = 300
_MARK = re.compile(r" ?\(managed by AirflowTenant/[^ ,]*, rev (?P<rev>[0-9a-f]{16})\)$")
_DAG_RESOURCES = ("DAG:", "DAG Run:")
_Described = Pool | Variable | Connection


@dataclass(frozen=True, slots=True)
class Policy:
    """How to compare. `spec_unchanged`: the spec and its Secrets are those of the last complete sync, so
    that a difference in what carries no mark (roles, default_pool) must be somebody else's."""

    tenant: str
    hmac_key: bytes = field(repr=False)
    mode: Mode = Mode.ENFORCE
    prune: bool = True
    spec_unchanged: bool = False


def diff(desired: DesiredObjects, observed: ObservedObjects, owned: OwnedNames, policy: Policy) -> Plan:
    """What differs and what to do about it. Raises InvalidObject for what must never be sent."""
    validate(desired)
    differences: list[Difference] = []
    actions: list[Action] = []
    for kind in ObjectKind:
        present = observed.of(kind)
        for name, wanted in desired.of(kind).items():
            found = _compare(wanted, present.get(name), name in owned.of(kind), policy)
            if found is not None:
                differences.append(found[0])
                actions.append(found[1])
        if policy.prune:
            for name in sorted(leavers(kind, desired, owned) & present.keys()):
                differences.append(Difference(kind, name, Reason.REMOVED))
                actions.append(Delete(kind, name))
    enforced = tuple(actions) if policy.mode is Mode.ENFORCE else ()
    return Plan(tuple(differences), enforced, _warnings(desired))


def leavers(kind: ObjectKind, desired: DesiredObjects, owned: OwnedNames) -> frozenset[str]:
    """Names that the operator made and that the spec no longer lists; never default_pool."""
    return owned.of(kind) - desired.of(kind).keys() - {DEFAULT_POOL}


def validate(desired: DesiredObjects) -> None:
    """Refuse what Airflow would accept to everyone's harm, or can never accept; names the field."""
    for index, role in enumerate(desired.roles):
        place = f"roles[{index}].name"
        if role.name in BUILTIN_ROLES:
            raise InvalidObject(place, f"{role.name} is a built-in role: Airflow resets it at every start")
        if "/" in role.name:
            raise InvalidObject(place, "must not contain '/': Airflow's API cannot address such a role")
    for kind in ObjectKind:
        names = [item.name for item in getattr(desired, kind.value)]
        if len(names) != len(set(names)):
            twice = sorted(name for name in set(names) if names.count(name) > 1)
            raise InvalidObject(kind.value, f"{twice[0]} is listed twice")


def stamped(wanted: AirflowObject, policy: Policy) -> AirflowObject:
    """The object as it is sent: with the mark in its description, where Airflow keeps one."""
    match wanted:
        case Pool() if wanted.name == DEFAULT_POOL:
            return replace(wanted, description="")
        case Role():
            return wanted
        case Pool() | Variable() | Connection():
            return _stamp(wanted, policy)


def revision(text: str) -> str:
    """The rev in a description, or "" when it carries no mark."""
    found = _MARK.search(text)
    return found["rev"] if found else ""


def _stamp(wanted: _Described, policy: Policy) -> _Described:
    fields = json.dumps([wanted.kind, policy.tenant, asdict(wanted)], sort_keys=True, default=str)
    rev = hmac.new(policy.hmac_key, fields.encode(), hashlib.sha256).hexdigest()[:16]
    mark = f"(managed by AirflowTenant/{policy.tenant}, rev {rev})"
    return replace(wanted, description=f"{wanted.description} {mark}".strip())


def _compare(
    wanted: AirflowObject, present: AirflowObject | None, owned: bool, policy: Policy
) -> tuple[Difference, Action] | None:
    target = stamped(wanted, policy)
    if present is None:
        # It was there at the last complete sync of this very spec: somebody has deleted it.
        deleted = owned and policy.spec_unchanged
        reason = Reason.DRIFT if deleted else Reason.CREATED
        return (
            Difference(wanted.kind, wanted.name, reason, ("deleted",) if deleted else ()),
            Upsert(target, reason, exists=False),
        )
    fields = differing(target, present)
    if not fields:
        return None
    reason = _reason(target, present, owned, policy)
    if isinstance(target, Role) and isinstance(present, Role):
        target = replace(target, permissions=target.permissions | _dag_permissions(present))
    return (
        Difference(wanted.kind, wanted.name, reason, fields),
        Upsert(target, reason, exists=True, recreate=_must_recreate(target, present)),
    )


def _reason(target: AirflowObject, present: AirflowObject, owned: bool, policy: Policy) -> Reason:
    """Drift if somebody else did it, as far as the mark tells."""
    before = revision(getattr(present, "description", ""))
    wanted = revision(getattr(target, "description", ""))
    if not wanted:  # a role or default_pool
        return Reason.DRIFT if policy.spec_unchanged else Reason.UPDATED
    if before:
        return Reason.DRIFT if before == wanted else Reason.UPDATED
    return Reason.DRIFT if owned else Reason.UPDATED


def differing(target: AirflowObject, present: AirflowObject) -> tuple[str, ...]:
    """Names of the fields of the spec in which Airflow differs from the object to be sent."""
    match target, present:
        case Pool(), Pool():
            pairs: dict[str, bool] = {
                "slots": target.slots == present.slots,
                "includeDeferred": target.include_deferred == present.include_deferred,
                "description": target.name == DEFAULT_POOL or target.description == present.description,
            }
        case Variable(), Variable():
            pairs = {
                "value": _same_value(target.value, present.value),
                "description": target.description == present.description,
            }
        case Connection(), Connection():
            pairs = _connection_fields(target, present)
        case Role(), Role():
            foreign = present.permissions - target.permissions - _dag_permissions(present)
            pairs = {"permissions": not foreign and target.permissions <= present.permissions}
        case _:
            raise TypeError(f"a {target.kind.singular} cannot be compared with a {present.kind.singular}")
    return tuple(name for name, same in pairs.items() if not same)


def _connection_fields(target: Connection, present: Connection) -> dict[str, bool]:
    return {
        "type": target.conn_type == present.conn_type,
        "host": target.host == present.host,
        "port": target.port == present.port,
        "schema": target.schema == present.schema,
        "login": target.login == present.login,
        "password": _same_text(target.password or "", present.password or "")
        and bool(target.password) == bool(present.password),
        "extra": _same_json(dict(target.extra), dict(present.extra)),
        "description": target.description == present.description,
    }


def _must_recreate(target: AirflowObject, present: AirflowObject) -> bool:
    """Airflow keeps a stored password whatever empty value is sent: only a new connection has none."""
    return (
        isinstance(target, Connection)
        and isinstance(present, Connection)
        and bool(present.password)
        and not target.password
    )


def _dag_permissions(role: Role) -> frozenset[tuple[str, str]]:
    """Permissions on single DAGs: the DAG processor grants them, so they are none of our business."""
    return frozenset(pair for pair in role.permissions if pair[1].startswith(_DAG_RESOURCES))


def _same_value(wanted: str, present: str) -> bool:
    """Variables come back re-serialised when they are JSON, with sensitive inner keys masked."""
    if _same_text(wanted, present):
        return True
    try:
        return _same_json(json.loads(wanted), json.loads(present))
    except ValueError:
        return False


def _same_json(wanted: Any, present: Any) -> bool:
    """Equal as JSON (1 is not true, key order does not count), where a mask equals anything."""
    if present == MASK:
        return True
    if isinstance(wanted, dict) and isinstance(present, dict):
        return wanted.keys() == present.keys() and all(_same_json(wanted[k], present[k]) for k in wanted)
    if isinstance(wanted, list) and isinstance(present, list):
        return len(wanted) == len(present) and all(map(_same_json, wanted, present))
    if isinstance(wanted, str) and isinstance(present, str):
        return _same_text(wanted, present)
    return json.dumps(wanted) == json.dumps(present)


def _same_text(wanted: str, present: str) -> bool:
    """Equal, where a mask in what Airflow shows stands for any text: it masks known secrets anywhere."""
    if MASK not in present:
        return wanted == present
    first, *middle, last = present.split(MASK)
    if len(wanted) < len(first) + len(last) or not (wanted.startswith(first) and wanted.endswith(last)):
        return False
    # Left to right, not by a regular expression: `.*a.*a.*` takes polynomial time on what users write.
    position, end = len(first), len(wanted) - len(last)
    for part in middle:
        found = wanted.find(part, position, end)
        if found < 0:
            return False
        position = found + len(part)
    return True


def _warnings(desired: DesiredObjects) -> tuple[str, ...]:
    return tuple((*_password_warning(desired.connections), *_pool_warning(desired.pools)))


def _password_warning(connections: Iterable[Connection]) -> Iterable[str]:
    count = len({connection.password for connection in connections if connection.password})
    if count > MANY_PASSWORDS:
        yield (
            f"{count} different passwords in connections: above {MANY_PASSWORDS} Airflow's API server "
            "slows down quadratically; keep them in a secrets backend"
        )


def _pool_warning(pools: Iterable[Pool]) -> Iterable[str]:
    if any(pool.name == DEFAULT_POOL and pool.description for pool in pools):
        yield f"the description of {DEFAULT_POOL} cannot be changed: Airflow refuses it"
