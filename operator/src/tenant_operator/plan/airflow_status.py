"""What a look into a tenant's Airflow found, as parts of the status. Pure: facts in, words out."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tenant_operator.api.status import DagSourceStatus, ObjectCounts, ObjectsStatus, Owned
from tenant_operator.core.airflow_types import DagFacts, ObjectKind, OwnedNames, SyncResult
from tenant_operator.core.errors import Reason
from tenant_operator.plan import git_sync
from tenant_operator.plan.outcome import Finding
from tenant_operator.plan.tenant import Tenant


def describe_dags(
    tenant: Tenant, facts: Sequence[DagFacts], unreachable: Collection[str] = ()
) -> tuple[list[DagSourceStatus], Finding]:
    """The status of each DAG source, and the condition DagsSynced."""
    by_name = {fact.bundle: fact for fact in facts}
    sources = []
    for source in tenant.spec.dags.sources:
        fact = by_name[source.name]
        sources.append(
            DagSourceStatus(
                name=source.name,
                repo=source.git_sync.repo if source.git_sync else "",
                ref=source.git_sync.ref if source.git_sync else "",
                commit=fact.version,
                dag_count=fact.count,
                import_errors=fact.import_errors,
                first_import_error=fact.first_import_error[:256],
            )
        )
    lost = [source for source in sources if source.name in unreachable]
    if lost:
        return sources, Finding.false(
            Reason.GIT_SYNC_FAILED,
            "; ".join(git_sync.explain(source.name, source.repo, source.commit) for source in lost),
        )
    broken = [source for source in sources if source.import_errors]
    if broken:
        first = broken[0]
        return sources, Finding.true(
            f"{first.import_errors} file(s) of source {first.name} cannot be imported, first "
            f"{first.first_import_error}: the other DAGs run",
            Reason.DAG_IMPORT_ERRORS,
        )
    waiting = [source.name for source in sources if not source.commit and not source.dag_count]
    if waiting:
        return sources, Finding.unknown(
            f"no DAG of source {', '.join(waiting)} has been parsed yet: is its subPath or path right?",
            Reason.DAGS_PENDING,
        )
    count = sum(source.dag_count for source in sources)
    return sources, Finding.true(f"{count} DAG(s) parsed" if sources else "no DAG source in the spec")


def describe_objects(tenant: Tenant, result: SyncResult) -> Finding:
    """The condition ObjectsSynced."""
    if result.errors:
        first = result.errors[0]
        more = f"; and {len(result.errors) - 1} more" if len(result.errors) > 1 else ""
        return Finding.false(
            Reason.OBJECTS_REJECTED, f"Airflow refuses spec.{first.kind.value}: {first}{more}"
        )
    if tenant.spec.sync.mode == "Observe" and result.drift:
        # What was asked for is done: it was looked at and told.
        return Finding.true(
            f"spec.sync.mode is Observe and Airflow differs: {drift(tenant, result)}", Reason.OBJECTS_DRIFTED
        )
    total = sum(counts.desired for counts in result.counts.values())
    warning = f"; {result.warnings[0]}" if result.warnings else ""
    return Finding.true(f"{total} object(s) are as the spec says{warning}")


def drift(tenant: Tenant, result: SyncResult) -> str:
    """The differences in words, in Observe mode; empty otherwise."""
    if tenant.spec.sync.mode != "Observe":
        return ""
    return "; ".join(str(difference) for difference in result.drift[:5])


def counts(result: SyncResult) -> ObjectsStatus:
    """How each kind stands."""
    return ObjectsStatus(
        **{
            kind.value: ObjectCounts(desired=count.desired, in_sync=count.in_sync, failed=count.failed)
            for kind, count in result.counts.items()
        }
    )


def ledger(owned: OwnedNames) -> Owned:
    """The names that the operator answers for, as the status keeps them."""
    return Owned(**{kind.value: sorted(owned.of(kind)) for kind in ObjectKind})
