"""Bring the objects inside a tenant's Airflow in line with the spec: observe, compare, write.

A quiet sync costs the list requests and nothing else. One refused object does not hold up the others.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection

from tenant_operator.core.airflow_types import (
    DEFAULT_POOL,
    AirflowPort,
    Counts,
    DesiredObjects,
    Difference,
    Mode,
    ObjectError,
    ObjectKind,
    ObservedObjects,
    OwnedNames,
    Plan,
    Reason,
    SyncResult,
    Upsert,
)
from tenant_operator.plan.airflow_objects import Policy, diff, leavers, validate

Remember = Callable[[OwnedNames], Awaitable[None]]


async def sync_objects(
    port: AirflowPort,
    desired: DesiredObjects,
    owned: OwnedNames,
    *,
    hmac_key: bytes,
    tenant: str,
    mode: Mode = Mode.ENFORCE,
    prune: bool = True,
    spec_unchanged: bool = False,
    remember: Remember | None = None,
) -> SyncResult:
    """One sync. Raises InvalidObject before anything is asked or written, AirflowUnavailable and
    AirflowLoginFailed at any point: what was written until then is found in order by the next sync.

    `remember` stores a ledger; it is called before the first write of names that `owned` does not hold,
    so that a crash right after cannot leave objects that nobody owns.
    """
    validate(desired)
    kinds = [kind for kind in ObjectKind if desired.of(kind) or owned.of(kind)]
    observed = await port.observe(kinds) if kinds else ObservedObjects()
    plan = diff(desired, observed, owned, Policy(tenant, hmac_key, mode, prune, spec_unchanged))
    ledger = _ledger(desired, observed, owned, mode)
    if remember is not None and _takes_over(plan, owned):
        await remember(ledger)
    errors = await _execute(port, plan)
    changes = _carried_out(plan, errors)
    put_back = tuple(change for change in changes if change.reason is Reason.DRIFT)
    return SyncResult(
        counts={kind: _counts(kind, desired, plan, errors) for kind in ObjectKind},
        owned=_settle(ledger, owned, plan, errors),
        changes=changes,
        drift=plan.differences if mode is Mode.OBSERVE else put_back,
        errors=errors,
        warnings=plan.warnings,
    )


async def _execute(port: AirflowPort, plan: Plan) -> tuple[ObjectError, ...]:
    """Write in the order of ObjectKind, then delete the other way round."""
    errors: list[ObjectError] = []
    for kind in ObjectKind:
        if upserts := plan.upserts(kind):
            errors += await port.upsert(kind, upserts)
    for kind in reversed(ObjectKind):
        if names := plan.deletes(kind):
            errors += await port.delete(kind, names)
    return tuple(errors)


def _ledger(desired: DesiredObjects, observed: ObservedObjects, owned: OwnedNames, mode: Mode) -> OwnedNames:
    """What the operator answers for from now on, before anything is deleted.

    Enforce takes every wanted name over, Observe none. Names that left both the spec and Airflow are
    forgotten. default_pool is Airflow's own and never in the ledger.
    """
    names: dict[ObjectKind, Collection[str]] = {}
    for kind in ObjectKind:
        wanted: Collection[str] = desired.of(kind).keys() if mode is Mode.ENFORCE else ()
        gone = leavers(kind, desired, owned) - observed.of(kind).keys()
        names[kind] = owned.of(kind).union(wanted) - gone - {DEFAULT_POOL}
    return OwnedNames.build(names)


def _takes_over(plan: Plan, owned: OwnedNames) -> bool:
    return any(
        isinstance(action, Upsert) and action.name not in owned.of(action.kind) | {DEFAULT_POOL}
        for action in plan.actions
    )


def _settle(ledger: OwnedNames, owned: OwnedNames, plan: Plan, errors: tuple[ObjectError, ...]) -> OwnedNames:
    """The ledger after the writes: without what was deleted, and without what was never taken over."""
    names: dict[ObjectKind, Collection[str]] = {}
    for kind in ObjectKind:
        failed = _failed(kind, errors)
        deleted = frozenset(plan.deletes(kind)) - failed
        refused = frozenset(upsert.name for upsert in plan.upserts(kind)) & failed - owned.of(kind)
        names[kind] = ledger.of(kind) - deleted - refused
    return OwnedNames.build(names)


def _counts(kind: ObjectKind, desired: DesiredObjects, plan: Plan, errors: tuple[ObjectError, ...]) -> Counts:
    wanted = desired.of(kind).keys()
    failed = _failed(kind, errors)
    handled = {action.name for action in plan.actions if action.kind is kind} - failed
    differing = {difference.name for difference in plan.differences if difference.kind is kind}
    return Counts(len(wanted), len(wanted - (differing - handled)), len(failed))


def _carried_out(plan: Plan, errors: tuple[ObjectError, ...]) -> tuple[Difference, ...]:
    tried = {(action.kind, action.name) for action in plan.actions}
    failed = {(error.kind, error.name) for error in errors}
    return tuple(d for d in plan.differences if (d.kind, d.name) in tried - failed)


def _failed(kind: ObjectKind, errors: tuple[ObjectError, ...]) -> frozenset[str]:
    return frozenset(error.name for error in errors if error.kind is kind)
