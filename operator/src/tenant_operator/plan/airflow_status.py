"""What a look into a tenant's Airflow found, as parts of the status. Pure: facts in, words out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from tenant_operator.api.airflow import DagSource
from tenant_operator.api.status import DagSourceStatus, ObjectCounts, ObjectsStatus, Owned
from tenant_operator.core import names
from tenant_operator.core.airflow_types import DagFacts, ObjectKind, OwnedNames, SyncResult
from tenant_operator.core.errors import Reason
from tenant_operator.plan import git_sync
from tenant_operator.plan.outcome import Finding
from tenant_operator.plan.tenant import Tenant


def describe_dags(
    tenant: Tenant,
    facts: Sequence[DagFacts],
    unreachable: Collection[str] = (),
    before: Sequence[DagSourceStatus] = (),
) -> tuple[list[DagSourceStatus], Finding]:
    """The status of each DAG source, and the condition DagsSynced.

    `before` is what the status says so far: the commit to go back to is taken from there.
    """
    by_name, known = {fact.bundle: fact for fact in facts}, {source.name: source for source in before}
    sources = [
        _source(tenant, source, by_name[source.name], known.get(source.name))
        for source in tenant.spec.dags.sources
    ]
    finding = _dags_finding(sources, unreachable, _late(tenant, sources), tenant.intent.commits)
    holds = _holds(tenant)
    return sources, replace(finding, message=f"{finding.message}; {holds}") if holds else finding


def _dags_finding(
    sources: Sequence[DagSourceStatus],
    unreachable: Collection[str],
    late: Sequence[DagSourceStatus],
    held: Mapping[str, str],
) -> Finding:
    lost = [source for source in sources if source.name in unreachable]
    if lost:
        return Finding.false(
            Reason.GIT_SYNC_FAILED,
            "; ".join(git_sync.explain(s.name, s.repo, s.commit, held.get(s.name, "")) for s in lost),
        )
    if late:
        have = ", ".join(f"{source.name}@{source.commit[:7]}" for source in late)
        return Finding.unknown(f"Airflow still has {have}", Reason.DAGS_PENDING)
    broken = [source for source in sources if source.import_errors]
    if broken:
        first = broken[0]
        return Finding.true(
            f"{first.import_errors} file(s) of source {first.name} cannot be imported, first "
            f"{first.first_import_error}: the other DAGs run",
            Reason.DAG_IMPORT_ERRORS,
        )
    waiting = [source.name for source in sources if not source.commit and not source.dag_count]
    if waiting:
        return Finding.unknown(
            f"no DAG of source {', '.join(waiting)} has been parsed yet: is its subPath or path right?",
            Reason.DAGS_PENDING,
        )
    count = sum(source.dag_count for source in sources)
    return Finding.true(f"{count} DAG(s) parsed" if sources else "no DAG source in the spec")


def _late(tenant: Tenant, sources: Sequence[DagSourceStatus]) -> list[DagSourceStatus]:
    """The held sources of which Airflow has another commit yet. Without a DAG there is no commit to see."""
    wanted = _refs(tenant)
    return [source for source in sources if source.held and source.commit not in ("", wanted[source.name])]


def _source(
    tenant: Tenant, source: DagSource, fact: DagFacts, before: DagSourceStatus | None
) -> DagSourceStatus:
    git, held = source.git_sync, source.name in tenant.intent.held
    repo = git.repo if git else ""
    if before is not None and before.repo != repo:
        before = None  # another repository has a history of its own
    previous, earlier = _previous(fact.version, before or DagSourceStatus(name=source.name), held=held)
    return DagSourceStatus(
        name=source.name,
        repo=repo,
        ref=tenant.intent.held.get(source.name, git.ref if git else ""),
        commit=fact.version,
        previous_commit=previous,
        earlier_commit=earlier,
        held=held,
        held_commit=tenant.intent.commits.get(source.name, ""),
        dag_count=fact.count,
        import_errors=fact.import_errors,
        first_import_error=fact.first_import_error[:256],
    )


def _previous(commit: str, before: DagSourceStatus, *, held: bool) -> tuple[str, str]:
    """The commit to go back to, and while Airflow names no commit at all, the one before that.

    While a source is held it is the one that was there before the hold. A look that finds no commit may be
    about one without a DAG, to be gone back from, or pass: then nothing may have been lost.
    """
    if held or commit == before.commit == "":
        return before.previous_commit, before.earlier_commit
    if not commit:
        return before.commit, before.previous_commit
    if before.commit not in ("", commit):
        return before.commit, ""
    return before.earlier_commit if commit == before.previous_commit else before.previous_commit, ""


def _refs(tenant: Tenant) -> dict[str, str]:
    """The ref in effect of each Git source."""
    return {source.name: source.git_sync.ref for source in tenant.spec.dags.sources if source.git_sync}


def _holds(tenant: Tenant) -> str:
    """Which sources are held where and by whom; empty when none is."""
    refs = _refs(tenant)
    held = ", ".join(f"{name} is held at {refs[name][:7]}" for name in tenant.intent.held)
    return f"{held} by the annotation {names.ANNOTATION_DAG_REVISIONS}" if held else ""


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
