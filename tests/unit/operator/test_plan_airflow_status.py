"""Where a DAG source stands: which commit, held or not, and what to go back to."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.operator.support import raw

from tenant_operator.api.status import DagSourceStatus, TenantStatus
from tenant_operator.core.airflow_types import DagFacts
from tenant_operator.plan.airflow_status import describe_dags
from tenant_operator.plan.outcome import GATES, Finding, Findings, status
from tenant_operator.plan.tenant import Tenant, parse

A, B, C = "a" * 40, "b" * 40, "c" * 40
REPO = "https://git.example.com/dags.git"


def tenant(held: str = "", repo: str = REPO) -> Tenant:
    found = raw(dags={"sources": [{"name": "main", "gitSync": {"repo": repo, "ref": "stable"}}]})
    if held:
        found["metadata"]["annotations"] = {"airflowtenants.io/dag-revisions": f"main={held}"}
    return parse(found)


def look(
    commit: str, before: DagSourceStatus | None = None, held: str = "", **facts: Any
) -> tuple[DagSourceStatus, Finding]:
    fact = DagFacts("main", **{"count": 1 if commit else 0, "version": commit, **facts})
    (source,), finding = describe_dags(tenant(held), [fact], (), [before] if before else [])
    return source, finding


def history(*commits: tuple[str, str]) -> DagSourceStatus:
    """What the status says after looks at (commit that Airflow has, commit that is held)."""
    source = None
    for commit, held in commits:
        source, _ = look(commit, source, held)
    assert source is not None
    return source


def test_the_first_commit_has_none_before_it() -> None:
    assert history((A, ""), (A, "")).previous_commit == ""


def test_a_push_makes_the_commit_before_it_the_one_to_go_back_to() -> None:
    assert history((A, ""), (B, "")).previous_commit == A
    assert history((A, ""), (B, ""), (B, "")).previous_commit == A
    assert history((A, ""), (B, ""), (C, "")).previous_commit == B


def test_what_to_go_back_to_is_taken_from_the_status_so_a_restart_loses_nothing() -> None:
    stored = TenantStatus(dags=[history((A, ""), (B, ""))]).model_dump(mode="json", by_alias=True)
    read = TenantStatus.model_validate(stored)
    assert look(B, read.dags[0])[0].previous_commit == A


def test_while_a_source_is_held_what_to_go_back_to_stays() -> None:
    held = history((A, ""), (B, ""), (B, A), (A, A), (A, A))
    assert (held.commit, held.previous_commit, held.held, held.ref) == (A, A, True, "stable")
    assert held.held_commit == A


def test_when_it_follows_again_the_held_commit_is_the_one_before() -> None:
    followed = history((A, ""), (B, ""), (A, A), (A, ""), (C, ""))
    assert (followed.commit, followed.previous_commit, followed.held) == (C, A, False)


def test_a_commit_that_leaves_no_dag_can_be_gone_back_from() -> None:
    """Airflow tells the commit of DAGs: without one it tells none."""
    assert history((A, ""), (B, ""), ("", "")).previous_commit == B
    assert history((A, ""), (B, ""), ("", ""), ("", ""), (C, "")).previous_commit == B


def test_a_commit_is_never_told_as_the_one_before_itself() -> None:
    assert history((A, ""), ("", ""), (A, "")).previous_commit == ""


@pytest.mark.parametrize("looks", [1, 3])
def test_a_look_without_a_commit_that_passes_loses_nothing_to_go_back_to(looks: int) -> None:
    back = history((A, ""), (B, ""), *[("", "")] * looks, (B, ""))
    assert (back.commit, back.previous_commit) == (B, A)
    assert history((A, ""), (B, ""), ("", ""), (B, ""), (C, "")).previous_commit == B
    assert history((A, ""), (B, ""), ("", ""), (C, ""), ("", ""), (C, "")).previous_commit == B


def test_a_fetch_that_fails_is_blamed_on_the_hold_where_there_is_one() -> None:
    fact = DagFacts("main", 1, B)
    before = [history((B, ""))]
    _, held = describe_dags(tenant(A), [fact], ("main",), before)
    assert held.reason == "GitSyncFailed"
    assert "metadata.annotations[airflowtenants.io/dag-revisions] holds it at aaaaaaa" in held.message
    assert "check repo, ref" not in held.message
    _, followed = describe_dags(tenant(), [fact], ("main",), before)
    assert followed.message.endswith("check repo, ref and credentialsSecretRef")


def test_another_repository_has_a_history_of_its_own() -> None:
    before = history((A, ""), (B, ""))
    fact = DagFacts("main", 1, C)
    (source,), _ = describe_dags(tenant(repo="https://git.example.com/new.git"), [fact], (), [before])
    assert source.previous_commit == ""


def test_a_hold_is_told_with_the_commit_and_who_asked() -> None:
    _, finding = look(A, held=A)
    assert (finding.status, finding.message) == (
        "True",
        "1 DAG(s) parsed; main is held at aaaaaaa by the annotation airflowtenants.io/dag-revisions",
    )


def test_until_airflow_has_the_held_commit_that_is_pending_and_says_what_it_has() -> None:
    _, finding = look(B, held=A)
    assert (finding.status, finding.reason) == ("Unknown", "DagsPending")
    assert finding.message.startswith("Airflow still has main@bbbbbbb; main is held at aaaaaaa by")


def test_a_held_commit_whose_files_do_not_import_is_told_as_ever() -> None:
    _, finding = look(A, held=A, import_errors=2, first_import_error="x.py: SyntaxError")
    assert finding.reason == "DagImportErrors"
    assert "held at aaaaaaa" in finding.message


def test_without_a_hold_nothing_is_said_of_one() -> None:
    source, finding = look(A)
    assert finding.message == "1 DAG(s) parsed"
    assert (source.held, source.ref) == (False, "stable")


@pytest.mark.parametrize(("held", "words"), [("", "from main@aaaaaaa"), (A, "from main@aaaaaaa (held)")])
def test_ready_says_that_a_source_is_held(held: str, words: str) -> None:
    source, _ = look(A, held=held)
    findings = Findings(dags=[source])
    findings.gates = {gate: Finding.true("fine") for gate in GATES}
    ready = status(findings, TenantStatus(), generation=1, namespace="ns", now=0.0).condition("Ready")
    assert ready is not None
    assert ready.message.endswith(words)
