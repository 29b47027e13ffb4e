"""The comparison of wanted with present Airflow objects, and the sync over a port that is a dictionary."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import pytest

from tenant_operator.adapters.airflow_bulk import Entity, scrub
from tenant_operator.adapters.airflow_http import explain
from tenant_operator.core.airflow_errors import AirflowUnavailable, InvalidObject
from tenant_operator.core.airflow_types import (
    BUILTIN_ROLES,
    AirflowObject,
    Connection,
    DagFacts,
    DesiredObjects,
    Difference,
    Health,
    Mode,
    ObjectError,
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
from tenant_operator.plan.airflow_objects import MANY_PASSWORDS, Policy, diff, differing, revision, stamped
from tenant_operator.reconcile.objects import sync_objects

Shown = TypeVar("Shown", Pool, Variable, Connection, Role)
POLICY = Policy("payments", b"k" * 32)
CONNECTION = Connection(
    "warehouse", "postgres", "db", 5432, "sales", "etl", "s3cret", {"token": "t0ken", "n": 1}, "Warehouse"
)


def shown(item: Shown) -> Shown:
    """What Airflow shows of an object that was written earlier."""
    stored = stamped(item, POLICY)
    assert isinstance(stored, type(item))
    if isinstance(stored, Connection):
        extra = {k: "***" if "token" in k else v for k, v in stored.extra.items()}
        return replace(stored, password="***" if stored.password else None, extra=extra)
    return stored


def desired(*items: AirflowObject) -> DesiredObjects:
    return DesiredObjects(**_by_kind(items))


def observed(*items: AirflowObject) -> ObservedObjects:
    return ObservedObjects(**_by_kind(items))


def _by_kind(items: Sequence[AirflowObject]) -> dict[str, Any]:
    return {kind.value: [item for item in items if item.kind is kind] for kind in ObjectKind}


def owned(*items: AirflowObject) -> OwnedNames:
    return OwnedNames.build({kind: [i.name for i in items if i.kind is kind] for kind in ObjectKind})


def only(plan: Plan) -> Upsert:
    (action,) = plan.actions
    assert isinstance(action, Upsert)
    return action


class TestMark:
    def test_reads_well_and_names_the_tenant(self) -> None:
        stored = stamped(CONNECTION, POLICY)
        assert isinstance(stored, Connection)
        text, _, mark = stored.description.partition(" (")
        assert text == "Warehouse"
        assert mark == f"managed by AirflowTenant/payments, rev {revision(stored.description)})"

    def test_stands_alone_without_a_description(self) -> None:
        stored = stamped(Pool("etl", 1), POLICY)
        assert isinstance(stored, Pool)
        assert stored.description.startswith("(managed by")

    @pytest.mark.parametrize(
        "other",
        [
            replace(CONNECTION, password="s3creT"),
            replace(CONNECTION, extra={"token": "t0kEn", "n": 1}),
            replace(CONNECTION, host="db2"),
            replace(CONNECTION, description="Warehouse 2"),
        ],
        ids=["password", "extra", "host", "description"],
    )
    def test_rev_covers_every_field(self, other: Connection) -> None:
        assert _rev(other, POLICY) != _rev(CONNECTION, POLICY)

    def test_rev_depends_on_key_and_tenant_but_not_on_key_order(self) -> None:
        assert _rev(CONNECTION, replace(POLICY, hmac_key=b"other")) != _rev(CONNECTION, POLICY)
        assert _rev(CONNECTION, replace(POLICY, tenant="other")) != _rev(CONNECTION, POLICY)
        turned = replace(CONNECTION, extra={"n": 1, "token": "t0ken"})
        assert _rev(turned, POLICY) == _rev(CONNECTION, POLICY)

    def test_a_description_that_imitates_a_mark_does_not_confuse(self) -> None:
        pool = Pool("etl", 1, "x (managed by AirflowTenant/other, rev 0123456789abcdef)")
        assert diff(desired(pool), observed(shown(pool)), owned(pool), POLICY).differences == ()


def _rev(item: Connection, policy: Policy) -> str:
    stored = stamped(item, policy)
    assert isinstance(stored, Connection)
    return revision(stored.description)


class TestDiff:
    def test_the_same_is_nothing_to_do(self) -> None:
        role = Role("r", frozenset({("can_read", "Pools")}))
        pool, variable = Pool("etl", 5), Variable("a", "1")
        items = (CONNECTION, pool, variable, role)
        present = observed(shown(CONNECTION), shown(pool), shown(variable), role)
        assert diff(desired(*items), present, owned(*items), POLICY) == Plan()

    def test_missing_is_created(self) -> None:
        action = only(diff(desired(CONNECTION), observed(), OwnedNames(), POLICY))
        assert (action.reason, action.exists) == (Reason.CREATED, False)

    def test_missing_where_it_was_before_is_drift(self) -> None:
        settled = replace(POLICY, spec_unchanged=True)
        plan = diff(desired(CONNECTION), observed(), owned(CONNECTION), settled)
        (difference,) = plan.differences
        assert str(difference) == "connection warehouse: deleted"
        assert (only(plan).reason, only(plan).exists) == (Reason.DRIFT, False)
        after_a_crash = only(diff(desired(CONNECTION), observed(), owned(CONNECTION), POLICY))
        assert after_a_crash.reason is Reason.CREATED, "perhaps it was never made"

    def test_same_rev_and_another_field_is_drift(self) -> None:
        present = replace(shown(CONNECTION), host="evil")
        plan = diff(desired(CONNECTION), observed(present), owned(CONNECTION), POLICY)
        assert plan.differences == (Difference(ObjectKind.CONNECTIONS, "warehouse", Reason.DRIFT, ("host",)),)
        assert only(plan).object == stamped(CONNECTION, POLICY)

    def test_another_rev_is_an_update(self) -> None:
        action = only(
            diff(desired(replace(CONNECTION, password="n3w")), observed(shown(CONNECTION)), owned(), POLICY)
        )
        assert action.reason is Reason.UPDATED
        assert not action.recreate

    def test_a_lost_mark_is_drift_if_owned_and_a_takeover_if_not(self) -> None:
        present = replace(shown(Pool("etl", 5)), description="mine now")
        ours = diff(desired(Pool("etl", 5)), observed(present), owned(Pool("etl", 5)), POLICY)
        theirs = diff(desired(Pool("etl", 5)), observed(present), OwnedNames(), POLICY)
        assert [only(ours).reason, only(theirs).reason] == [Reason.DRIFT, Reason.UPDATED]

    def test_clearing_a_password_needs_a_new_connection(self) -> None:
        bare = replace(CONNECTION, password=None)
        assert only(diff(desired(bare), observed(shown(CONNECTION)), owned(), POLICY)).recreate
        assert diff(desired(bare), observed(shown(bare)), owned(), POLICY).actions == ()

    def test_only_owned_names_that_left_the_spec_are_deleted(self) -> None:
        ours, theirs = Pool("ours", 1), Pool("theirs", 1)
        plan = diff(desired(), observed(ours, theirs), owned(ours), POLICY)
        assert plan.deletes(ObjectKind.POOLS) == ("ours",)
        assert len(plan.actions) == 1

    def test_what_is_gone_already_is_not_deleted(self) -> None:
        assert diff(desired(), observed(), owned(Pool("ours", 1)), POLICY).actions == ()

    def test_prune_off_deletes_nothing(self) -> None:
        pool = Pool("ours", 1)
        assert diff(desired(), observed(pool), owned(pool), replace(POLICY, prune=False)).differences == ()

    def test_default_pool_is_never_deleted_and_its_description_left_alone(self) -> None:
        default = Pool("default_pool", 128, "Airflow's words")
        assert diff(desired(), observed(default), owned(default), POLICY).actions == ()
        same = diff(desired(Pool("default_pool", 128, "ours")), observed(default), OwnedNames(), POLICY)
        assert same.actions == ()
        assert same.warnings
        changed = only(diff(desired(Pool("default_pool", 64)), observed(default), OwnedNames(), POLICY))
        assert changed.object == Pool("default_pool", 64)

    def test_observe_reports_without_actions(self) -> None:
        plan = diff(desired(CONNECTION), observed(), owned(), replace(POLICY, mode=Mode.OBSERVE))
        assert len(plan.differences) == 1
        assert plan.actions == ()

    @pytest.mark.parametrize("name", sorted(BUILTIN_ROLES))
    def test_builtin_roles_are_refused_by_field(self, name: str) -> None:
        with pytest.raises(InvalidObject) as raised:
            diff(desired(Role("fine"), Role(name)), observed(), OwnedNames(), POLICY)
        assert raised.value.field == "roles[1].name"

    def test_roles_that_the_api_cannot_address_are_refused(self) -> None:
        with pytest.raises(InvalidObject, match=r"roles\[0\].name"):
            diff(desired(Role("a/b")), observed(), OwnedNames(), POLICY)

    def test_duplicates_are_refused(self) -> None:
        with pytest.raises(InvalidObject, match="pools: etl is listed twice"):
            diff(desired(Pool("etl", 1), Pool("etl", 2)), observed(), OwnedNames(), POLICY)

    def test_roles_keep_permissions_on_single_dags(self) -> None:
        dag = {("can_read", "DAG:x"), ("can_create", "DAG Run:x")}
        wanted = Role("r", frozenset({("can_read", "Pools")}))
        same = Role("r", wanted.permissions | dag)
        assert diff(desired(wanted), observed(same), owned(), POLICY).actions == ()
        more = Role("r", same.permissions | {("can_edit", "Pools")})
        action = only(diff(desired(wanted), observed(more), owned(), POLICY))
        assert action.object == same

    @pytest.mark.parametrize(
        ("unchanged", "reason"), [(True, Reason.DRIFT), (False, Reason.UPDATED)], ids=["quiet", "edited"]
    )
    def test_what_carries_no_mark_is_drift_only_if_the_spec_did_not_change(
        self, unchanged: bool, reason: Reason
    ) -> None:
        policy = replace(POLICY, spec_unchanged=unchanged)
        wanted = desired(Role("r", frozenset({("can_read", "Pools")})))
        assert only(diff(wanted, observed(Role("r")), owned(), policy)).reason is reason

    @pytest.mark.parametrize(("count", "warned"), [(MANY_PASSWORDS, False), (MANY_PASSWORDS + 1, True)])
    def test_many_different_passwords_are_warned_about(self, count: int, warned: bool) -> None:
        many = [replace(CONNECTION, id=f"c{n}", password=f"p{n}") for n in range(count)]
        assert bool(diff(desired(*many), observed(), owned(), POLICY).warnings) is warned


@pytest.mark.parametrize(
    ("wanted", "present", "same"),
    [
        ("text", "text", True),
        ("text", "Text", False),
        ("secret", "***", True),
        ("", "", True),
        ("postgres://u:pw@db/x", "postgres://u:***@db/x", True),
        ("postgres://u:pw@db/x", "postgres://u:***@db/y", False),
        ("aXbYa", "a***b***a", True),
        ("ab", "a***b***b", False),
        ("aba", "ab***ba", False),
        ('{"a": 1, "b": [true]}', '{"b":[true],"a":1}', True),
        ('{"a": 1}', '{"a": true}', False),
        ('{"a": 1}', '{"a": 1.0}', False),
        ('{"a": 1}', '{"a": 1, "b": 2}', False),
        ('{"token": "x", "n": 1}', '{"token": "***", "n": 1}', True),
        ('{"token": "x", "n": 1}', '{"token": "***", "n": 2}', False),
        ('{"token": {"x": [1, "y"]}}', '{"token": {"x": [1, "***"]}}', True),
        ('{"token": {"x": 5}}', '{"token": {"x": "***"}}', True),
        ("[1, 2]", "[1]", False),
        ("1e5", "100000.0", True),
        ("NaN", "NaN", True),
        ("null", "null", True),
        ("null", "None", False),
    ],
)
def test_values_are_compared_as_airflow_shows_them(wanted: str, present: str, same: bool) -> None:
    assert (differing(Variable("v", wanted), Variable("v", present)) == ()) is same


def test_masks_in_long_text_cost_linear_time() -> None:
    wanted, present = "a" * 16000 + "c", "***" + "a***" * 4000 + "b"
    start = time.perf_counter()
    assert differing(Variable("v", wanted), Variable("v", present)) == ("value",)
    assert differing(Variable("v", "a" * 16000 + "b"), Variable("v", present)) == ()
    assert time.perf_counter() - start < 1


def test_no_secret_in_any_repr() -> None:
    items: list[AirflowObject] = [CONNECTION, Variable("v", "s3cret-value", sensitive=True)]
    plan = diff(desired(*items), observed(), OwnedNames(), POLICY)
    text = repr((items, plan, [Entity.of(item) for item in items], observed(*items)))
    assert not [secret for secret in ("s3cret", "t0ken", "k" * 32) if secret in text]
    assert "kkkk" not in repr(POLICY)


def test_messages_lose_secrets_in_plain_and_in_json_form() -> None:
    assert scrub('input pa"ss-word or pa\\"ss-word', ('pa"ss-word',)) == "input *** or ***"


def test_validation_errors_are_told_without_their_input() -> None:
    item = {"loc": ["body", "actions", 0, "port"], "msg": "not an int", "input": {"password": "s3cret"}}
    assert explain({"detail": [item]}) == "port: not an int"


@dataclass
class MemoryAirflow:
    """An Airflow that is a dictionary; it refuses names in `refuse` and notes what it was asked."""

    stored: dict[tuple[ObjectKind, str], AirflowObject] = field(default_factory=dict)
    refuse: frozenset[str] = frozenset()
    dies_after: int = 1000
    asked: list[str] = field(default_factory=list)

    async def observe(self, kinds: Collection[ObjectKind]) -> ObservedObjects:
        self.asked.append("observe " + ",".join(kinds))
        return observed(*(item for item in self.stored.values() if item.kind in kinds))

    async def upsert(self, kind: ObjectKind, changes: Sequence[Upsert]) -> tuple[ObjectError, ...]:
        self._ask(f"upsert {kind}")
        for change in changes:
            if change.name not in self.refuse:
                self.stored[kind, change.name] = change.object
        return self._errors(kind, [change.name for change in changes])

    async def delete(self, kind: ObjectKind, names: Collection[str]) -> tuple[ObjectError, ...]:
        self._ask(f"delete {kind}")
        for name in set(names) - self.refuse:
            self.stored.pop((kind, name), None)
        return self._errors(kind, names)

    async def version(self) -> str:
        return "3.3.2"

    async def health(self) -> Health:
        return Health()

    async def dag_facts(self, bundle: str) -> DagFacts:
        return DagFacts(bundle)

    def _errors(self, kind: ObjectKind, names: Collection[str]) -> tuple[ObjectError, ...]:
        return tuple(ObjectError(kind, name, "refused") for name in names if name in self.refuse)

    def _ask(self, what: str) -> None:
        if len(self.asked) > self.dies_after:
            raise AirflowUnavailable("gone")
        self.asked.append(what)


class TestSync:
    async def test_writes_in_order_and_deletes_backwards(self) -> None:
        airflow = MemoryAirflow()
        items = (Role("r"), CONNECTION, Variable("v", "1"), Pool("p", 1))
        first = await sync_objects(airflow, desired(*items), OwnedNames(), hmac_key=b"k", tenant="t")
        assert airflow.asked == [
            "observe pools,variables,connections,roles",
            *(f"upsert {kind}" for kind in ("pools", "variables", "connections", "roles")),
        ]
        airflow.asked.clear()
        await sync_objects(airflow, desired(), first.owned, hmac_key=b"k", tenant="t")
        assert airflow.asked[1:] == [
            f"delete {kind}" for kind in ("roles", "connections", "variables", "pools")
        ]

    async def test_asks_only_for_kinds_in_use(self) -> None:
        airflow = MemoryAirflow()
        await sync_objects(airflow, desired(), OwnedNames(), hmac_key=b"k", tenant="t")
        assert airflow.asked == []
        await sync_objects(airflow, desired(Role("r")), OwnedNames(), hmac_key=b"k", tenant="t")
        assert airflow.asked[0] == "observe roles"

    async def test_a_crash_after_remembering_leaves_nobody_without_an_owner(self) -> None:
        airflow = MemoryAirflow(dies_after=1)
        ledger: list[OwnedNames] = []

        async def remember(names: OwnedNames) -> None:
            ledger.append(names)

        items = (Pool("p", 1), Variable("v", "1"))
        with pytest.raises(AirflowUnavailable):
            await sync_objects(
                airflow, desired(*items), OwnedNames(), hmac_key=b"k", tenant="t", remember=remember
            )
        airflow.dies_after = 1000
        await sync_objects(airflow, desired(), ledger[0], hmac_key=b"k", tenant="t")
        assert airflow.stored == {}

    async def test_a_refused_creation_is_not_owned_and_a_refused_deletion_still_is(self) -> None:
        airflow = MemoryAirflow(refuse=frozenset({"bad"}))
        result = await sync_objects(
            airflow, desired(Pool("bad", 1), Pool("good", 1)), OwnedNames(), hmac_key=b"k", tenant="t"
        )
        assert result.owned == owned(Pool("good", 1))
        assert [str(error) for error in result.errors] == ["pool bad: refused"]
        airflow.refuse = frozenset({"good"})
        kept = await sync_objects(airflow, desired(), result.owned, hmac_key=b"k", tenant="t")
        assert kept.owned == result.owned
        assert not kept.ok
        assert kept.changes == ()

    async def test_drift_that_airflow_would_not_put_back_is_an_error_and_no_drift(self) -> None:
        airflow = MemoryAirflow()
        first = await sync_objects(airflow, desired(CONNECTION), OwnedNames(), hmac_key=b"k", tenant="t")
        stored = airflow.stored[ObjectKind.CONNECTIONS, "warehouse"]
        assert isinstance(stored, Connection)
        airflow.stored[ObjectKind.CONNECTIONS, "warehouse"] = replace(stored, host="evil")
        airflow.refuse = frozenset({"warehouse"})
        refused = await sync_objects(airflow, desired(CONNECTION), first.owned, hmac_key=b"k", tenant="t")
        assert (refused.drift, len(refused.errors)) == ((), 1)
        airflow.refuse = frozenset()
        again = await sync_objects(airflow, desired(CONNECTION), first.owned, hmac_key=b"k", tenant="t")
        assert [str(drift) for drift in again.drift] == ["connection warehouse: host"]

    async def test_names_gone_from_spec_and_airflow_are_forgotten(self) -> None:
        result = await sync_objects(
            MemoryAirflow(), desired(), owned(Pool("p", 1)), hmac_key=b"k", tenant="t"
        )
        assert result.owned == OwnedNames()

    async def test_a_lost_ledger_is_found_again_without_a_write(self) -> None:
        airflow = MemoryAirflow()
        first = await sync_objects(airflow, desired(CONNECTION), OwnedNames(), hmac_key=b"k", tenant="t")
        airflow.asked.clear()
        again = await sync_objects(airflow, desired(CONNECTION), OwnedNames(), hmac_key=b"k", tenant="t")
        assert again.owned == first.owned
        assert len(airflow.asked) == 1

    async def test_observe_takes_nothing_over(self) -> None:
        airflow = MemoryAirflow()
        result = await sync_objects(
            airflow, desired(CONNECTION), OwnedNames(), hmac_key=b"k", tenant="t", mode=Mode.OBSERVE
        )
        assert result.owned == OwnedNames()
        assert airflow.stored == {}
        assert [str(drift) for drift in result.drift] == ["connection warehouse: missing"]

    async def test_an_invalid_spec_is_refused_before_anything_is_asked(self) -> None:
        airflow = MemoryAirflow()
        with pytest.raises(InvalidObject):
            await sync_objects(airflow, desired(Role("Admin")), OwnedNames(), hmac_key=b"k", tenant="t")
        assert airflow.asked == []
