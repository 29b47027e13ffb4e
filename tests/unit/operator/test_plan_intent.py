"""What annotations ask for, over what the spec says."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.operator.support import raw

from tenant_operator.core.errors import InvalidSpec
from tenant_operator.core.kinds import Object
from tenant_operator.plan import intent
from tenant_operator.plan.intent import Known
from tenant_operator.plan.tenant import Tenant, parse

A, B, C, D = "a" * 40, "b" * 40, "c" * 40, "d" * 40
SOURCES = [
    {"name": "main", "gitSync": {"repo": "https://git.example.com/dags.git", "ref": "stable"}},
    {"name": "other", "gitSync": {"repo": "https://git.example.com/other.git"}},
    {"name": "library", "image": {"path": "/opt/airflow/library"}},
]


def annotated(annotations: dict[str, str], **spec: Any) -> Object:
    tenant = raw(**spec)
    tenant["metadata"]["annotations"] = {
        f"airflowtenants.io/{key}": text for key, text in annotations.items()
    }
    return tenant


def read(annotations: dict[str, str], **spec: Any) -> Tenant:
    return parse(annotated(annotations, **spec))


def refused(annotations: dict[str, str], **spec: Any) -> str:
    with pytest.raises(InvalidSpec) as caught:
        read(annotations, **spec)
    return caught.value.message


def refs(tenant: Tenant) -> dict[str, str]:
    return {source.name: source.git_sync.ref for source in tenant.spec.dags.sources if source.git_sync}


def test_without_annotations_the_spec_decides_and_nothing_is_asked_for() -> None:
    tenant = read({}, dags={"sources": SOURCES})
    assert tenant.intent == intent.Intent()
    assert (tenant.spec.suspend, tenant.spec.state) == (False, "Running")
    assert refs(tenant) == {"main": "stable", "other": "main"}


def test_annotations_of_others_are_none_of_our_business() -> None:
    tenant = raw()
    tenant["metadata"]["annotations"] = {"suspend": "perhaps", "example.com/state": "solid"}
    assert parse(tenant).intent == intent.Intent()


@pytest.mark.parametrize(
    ("spec", "annotation", "suspended", "by"),
    [
        (False, None, False, ""),
        (True, None, True, "spec.suspend"),
        (False, "true", True, "metadata.annotations[airflowtenants.io/suspend]"),
        (True, "true", True, "metadata.annotations[airflowtenants.io/suspend]"),
        (True, "false", False, ""),
    ],
)
def test_the_annotation_suspend_wins_over_the_spec_and_is_named(
    spec: bool, annotation: str | None, suspended: bool, by: str
) -> None:
    asked = {} if annotation is None else {"suspend": annotation}
    tenant = read(asked, suspend=spec)
    assert (tenant.spec.suspend, tenant.intent.suspended_by) == (suspended, by)
    assert intent.suspended(annotated(asked, suspend=spec)) is suspended


@pytest.mark.parametrize(
    ("spec", "annotation", "state", "by"),
    [
        ("Hibernated", None, "Hibernated", "spec.state"),
        ("Running", "Hibernated", "Hibernated", "metadata.annotations[airflowtenants.io/state]"),
        ("Hibernated", "Running", "Running", ""),
    ],
)
def test_the_annotation_state_wins_over_the_spec_and_is_named(
    spec: str, annotation: str | None, state: str, by: str
) -> None:
    asked = {} if annotation is None else {"state": annotation}
    tenant = read(asked, state=spec)
    assert (tenant.spec.state, tenant.intent.hibernated_by) == (state, by)
    assert intent.hibernated(annotated(asked, state=spec)) is (state == "Hibernated")


@pytest.mark.parametrize("value", ["True", "yes", "", " true"])
def test_a_wrong_suspend_says_what_is_allowed(value: str) -> None:
    message = refused({"suspend": value})
    assert message.startswith("metadata.annotations[airflowtenants.io/suspend]: must be true or false, not ")
    assert repr(value) in message
    assert message.endswith("remove the annotation to let the spec decide")


def test_a_wrong_state_says_what_is_allowed() -> None:
    assert "[airflowtenants.io/state]: must be Running or Hibernated, not 'asleep'" in refused(
        {"state": "asleep"}
    )


@pytest.mark.parametrize("value", ["perhaps", "TRUE"])
def test_a_value_that_is_refused_counts_as_none_for_those_who_cannot_refuse_it(value: str) -> None:
    assert intent.suspended(annotated({"suspend": value}, suspend=True))
    assert not intent.suspended(annotated({"suspend": value}))
    assert intent.hibernated(annotated({"state": value}, state="Hibernated"))


def test_an_error_of_the_annotation_makes_the_tenant_stalled() -> None:
    with pytest.raises(InvalidSpec) as caught:
        read({"suspend": "perhaps"})
    assert (caught.value.reason, caught.value.stalled) == ("InvalidSpec", True)


def test_revisions_hold_the_named_sources_and_no_other() -> None:
    tenant = read({"dag-revisions": f"main={A}"}, dags={"sources": SOURCES})
    assert refs(tenant) == {"main": A, "other": "main"}
    assert tenant.intent.held == {"main": "stable"}


@pytest.mark.parametrize("text", [f"main={A},other={B}", f" other={B} , main={A} ", f"main={A},other={B},"])
def test_several_sources_are_held_at_once(text: str) -> None:
    tenant = read({"dag-revisions": text}, dags={"sources": SOURCES})
    assert refs(tenant) == {"main": A, "other": B}


def test_a_sha256_commit_can_be_held() -> None:
    tenant = read({"dag-revisions": f"main={A}{'0' * 24}"}, dags={"sources": SOURCES})
    assert refs(tenant)["main"] == f"{A}{'0' * 24}"


def test_an_empty_list_of_revisions_holds_nothing() -> None:
    assert read({"dag-revisions": ""}, dags={"sources": SOURCES}).intent.held == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("main=abc1234", "source 'main': 'abc1234' is not a full commit hash (40 lower case hex digits)"),
        (f"main={'A' * 40}", "is not a full commit hash"),
        ("main=stable", "'stable' is not a full commit hash"),
        (A, "is not SOURCE=COMMIT: write main=<commit>[,other=<commit>]"),
        (f"main={A},main={B}", "source 'main' is named twice"),
        (f"main={A}@abc1234", "source 'main': 'abc1234' is not a full commit hash"),
        (f"main={A}@", "source 'main': '' is not a full commit hash"),
        (f"main=@{A}", "source 'main': '' is not a full commit hash"),
        (f"main={A}@{B}@{A}", "is not a full commit hash"),
    ],
)
def test_a_wrong_revision_is_named_with_the_remedy(text: str, words: str) -> None:
    message = refused({"dag-revisions": text}, dags={"sources": SOURCES})
    assert message.startswith("metadata.annotations[airflowtenants.io/dag-revisions]: ")
    assert words in message


@pytest.mark.parametrize("name", ["lost", "library"])
def test_a_hold_of_what_git_does_not_know_any_more_is_told_and_keeps_no_tenant_from_its_care(
    name: str,
) -> None:
    tenant = read({"dag-revisions": f"{name}={A},main={B}"}, dags={"sources": SOURCES})
    assert refs(tenant) == {"main": B, "other": "main"}
    assert (tenant.intent.held, tenant.intent.commits) == ({"main": "stable"}, {"main": B})
    assert tenant.intent.ignored == (
        f"metadata.annotations[airflowtenants.io/dag-revisions] holds nothing for '{name}': spec.dags has no "
        "gitSync source of that name; correct or remove the annotation"
    )
    assert tenant.intent.ignored in tenant.intent.remarks
    assert read({"dag-revisions": f"main={B}"}, dags={"sources": SOURCES}).intent.ignored == ""


CHOSEN = {"dag-revisions": f"main={A}@{B}"}


@pytest.mark.parametrize(
    ("known", "held"),
    [
        (Known({"main": B}), True),
        (Known({"main": A}), True),
        (Known({"main": C}, {"main": A}), True),
        (Known({}, {"main": A}), True),
        (Known({"main": C}), False),
        (Known({"main": ""}), False),
        (Known({"main": C}, {"other": A}), False),
        (Known({"main": C}, {"main": D}), False),
        (Known({"other": B}), False),
        (Known(), False),
    ],
    ids=[
        "Airflow has what was seen",
        "Airflow has it already",
        "held, and an old pod parses a push on the way",
        "held, and nobody was asked since a restart",
        "Airflow has a push that was not seen",
        "Airflow has no DAG of it any more",
        "another one is held",
        "held at another commit",
        "not known of this one",
        "not asked yet",
    ],
)
def test_a_hold_with_a_commit_behind_it_counts_only_where_that_is_what_airflow_has(
    known: Known, held: bool
) -> None:
    tenant = parse(annotated(CHOSEN, dags={"sources": SOURCES}), known)
    assert refs(tenant) == {"main": A if held else "stable", "other": "main"}
    assert tenant.intent.held == ({"main": "stable"} if held else {})


def test_a_hold_without_a_commit_behind_it_asks_nobody() -> None:
    tenant = parse(annotated({"dag-revisions": f"main={A}"}, dags={"sources": SOURCES}), Known({"main": C}))
    assert tenant.intent.commits == {"main": A}


def judged(text: str, known: Known) -> intent.Intent:
    return parse(annotated({"dag-revisions": text}, dags={"sources": SOURCES}), known).intent


def test_a_hold_that_was_chosen_on_old_news_is_told_with_the_remedy_and_those_that_ask_nobody_stay() -> None:
    text = f"other={A},main={A}@{B}"
    found = judged(text, Known({"main": C, "other": C}))
    assert found.commits == {"other": A}
    assert found.ignored == (
        "metadata.annotations[airflowtenants.io/dag-revisions] holds nothing for 'main': Airflow has another "
        "commit of 'main' than the one after @: remove the annotation, look at status.dags, and roll back "
        "anew"
    )
    assert found.ignored in found.remarks
    later = judged(text, Known({"main": D, "other": C}))
    assert later.ignored == found.ignored, "a push is no news of the hold"


def test_of_holds_that_were_chosen_together_none_is_held_if_one_was_chosen_on_old_news() -> None:
    found = judged(f"main={A}@{B},other={C}@{D}", Known({"main": B, "other": A}))
    assert found.commits == {}
    assert found.ignored == (
        "metadata.annotations[airflowtenants.io/dag-revisions] holds nothing for 'main', 'other': Airflow "
        "has another commit of 'other' than the one after @: remove the annotation, look at status.dags, and "
        "roll back anew"
    )


def test_what_is_held_already_does_not_fall_with_one_that_is_chosen_on_old_news_later() -> None:
    found = judged(f"main={A}@{B},other={C}@{D}", Known({"main": A, "other": A}, {"main": A}))
    assert found.commits == {"main": A}
    assert "holds nothing for 'other': " in found.ignored


def test_holds_that_were_chosen_together_wait_for_each_other() -> None:
    found = judged(f"main={A}@{B},other={C}@{D}", Known({"main": B}))
    assert (found.commits, found.ignored) == ({}, "")
    assert "holds 'main', 'other' once Airflow is seen to have the commit after @" in found.undecided
    both = judged(f"main={A}@{B},other={C}@{D}", Known({"main": B, "other": D}))
    assert both.commits == {"main": A, "other": C}


def test_a_held_source_stays_where_it_is_until_another_hold_is_decided() -> None:
    text, held = f"main={D}@{B}", {"main": A}
    assert judged(text, Known({}, held)).commits == {"main": A}, "not to and fro"
    assert judged(text, Known({"main": B}, held)).commits == {"main": D}
    assert judged(text, Known({"main": C}, held)).commits == {}


def test_an_airflow_that_has_no_dag_of_a_source_any_more_is_told_as_that() -> None:
    found = judged(f"main={A}@{B}", Known({"main": ""}))
    assert "Airflow has no DAG of 'main', and so no commit at all: remove the annotation" in found.ignored
    assert "another commit" not in found.ignored
    mixed = judged(f"main={A}@{B},other={C}@{D}", Known({"main": "", "other": A})).ignored
    assert "another commit of 'other' than the one after @ and Airflow has no DAG of 'main', and" in mixed


def test_a_hold_that_waits_for_airflow_is_told_and_no_warning() -> None:
    waiting = read(CHOSEN, dags={"sources": SOURCES}).intent
    assert waiting.ignored == ""
    assert waiting.remarks == waiting.undecided
    assert "holds 'main' once Airflow is seen to have the commit after @" in waiting.remarks


def test_many_unknown_holds_do_not_flood_a_message() -> None:
    text = ",".join(f"{'x' * 300}{number}={A}" for number in range(50))
    ignored = read({"dag-revisions": text}).intent.ignored
    assert "and 47 more" in ignored
    assert len(ignored) < 500


@pytest.mark.parametrize(
    ("spec", "annotations", "words"),
    [
        (
            {"suspend": True},
            {"suspend": "false"},
            "spec.suspend: true is overruled by metadata.annotations[airflowtenants.io/suspend]: remove it "
            "to follow the spec",
        ),
        (
            {"state": "Hibernated"},
            {"state": "Running"},
            "spec.state: Hibernated is overruled by metadata.annotations[airflowtenants.io/state]: remove it "
            "to follow the spec",
        ),
        (
            {"dags": {"sources": SOURCES}},
            {"dag-revisions": f"main={A}"},
            "'main' held by metadata.annotations[airflowtenants.io/dag-revisions]: remove it to follow "
            "spec.dags",
        ),
    ],
)
def test_an_annotation_that_overrules_git_is_remarked_with_the_remedy(
    spec: dict[str, Any], annotations: dict[str, str], words: str
) -> None:
    assert read(annotations, **spec).intent.remarks == words
    assert read({}, **spec).intent.remarks == ""


@pytest.mark.parametrize("annotations", [{"suspend": "true"}, {"suspend": "false"}, {"state": "Running"}])
def test_an_annotation_that_overrules_nothing_is_not_remarked(annotations: dict[str, str]) -> None:
    assert read(annotations).intent.remarks == ""


def test_what_somebody_wrote_is_quoted_but_bounded() -> None:
    assert len(refused({"suspend": "x" * 5000})) < 250


def test_requests_are_taken_as_they_are() -> None:
    asked = read({"reconcile-requested-at": "2026-01-31T12:00:00Z", "dag-sync-requested-at": "now"}).intent
    assert (asked.reconcile, asked.dag_sync) == ("2026-01-31T12:00:00Z", "now")


@pytest.mark.parametrize("annotation", ["reconcile-requested-at", "dag-sync-requested-at"])
def test_a_request_that_would_bloat_the_status_is_refused(annotation: str) -> None:
    assert read({annotation: "x" * 256}).intent != intent.Intent()
    message = refused({annotation: "x" * 257})
    assert message.startswith(f"metadata.annotations[airflowtenants.io/{annotation}]: must be at most 256")


def test_a_wrong_spec_is_told_before_a_wrong_annotation() -> None:
    assert refused({"suspend": "perhaps"}, owner={}).startswith("spec.owner.team")
