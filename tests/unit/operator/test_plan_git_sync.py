from __future__ import annotations

import pytest

from tenant_operator.plan.git_sync import Counts, Revision, Seen, explain, fails, follow, judge, parse

METRICS = """\
# HELP git_sync_count_total How many git syncs completed, partitioned by state (success, error, noop)
# TYPE git_sync_count_total counter
git_sync_count_total{status="error"} 3
git_sync_count_total{status="noop"} 1.2e+02
git_sync_count_total{status="success"} 2
git_sync_duration_seconds_count{status="error"} 99
"""


def test_the_counters_are_read() -> None:
    assert parse(METRICS) == Counts(good=122, errors=3)
    assert parse('git_sync_count_total{job="x",status="error",pod="y"} 1') == Counts(errors=1)


@pytest.mark.parametrize("text", ["", "<html>", 'git_sync_count_total{status="error"} NaN', "\0" * 99])
def test_what_holds_no_counters_is_no_answer(text: str) -> None:
    assert parse(text) is None


CASES: list[tuple[str, Seen, str, Counts, bool]] = [
    ("first look, fine", Seen(), "a", Counts(5), False),
    ("first look, only errors: since when?", Seen(), "a", Counts(0, 5), False),
    ("first look after a restart, told failing", Seen(failing=True), "a", Counts(5, 5), True),
    ("first look after a restart, no error at all", Seen(failing=True), "a", Counts(5), False),
    ("only errors grew", Seen("a", Counts(5, 1)), "a", Counts(5, 2), True),
    ("both grew", Seen("a", Counts(5, 1)), "a", Counts(6, 2), False),
    ("only good grew", Seen("a", Counts(5, 1), True), "a", Counts(6, 1), False),
    ("nothing grew, was fine", Seen("a", Counts(5, 1)), "a", Counts(5, 1), False),
    ("nothing grew, was failing", Seen("a", Counts(5, 1), True), "a", Counts(5, 1), True),
    ("restarted in its pod and fails", Seen("a", Counts(5, 1)), "a", Counts(0, 1), True),
    ("restarted in its pod and works", Seen("a", Counts(5, 9), True), "a", Counts(1), False),
    ("another pod", Seen("a", Counts(5, 1), True), "b", Counts(1, 2), False),
]


@pytest.mark.parametrize(("name", "before", "address", "now", "failing"), CASES, ids=[c[0] for c in CASES])
def test_the_verdict(name: str, before: Seen, address: str, now: Counts, failing: bool) -> None:
    assert judge(before, address, now) == Seen(address, now, failing), name


def test_a_verdict_outlives_two_looks_without_an_answer_and_no_more() -> None:
    seen = Seen("a", Counts(5, 1), True)
    verdicts = []
    for _ in range(3):
        seen = judge(seen, "", None)
        verdicts.append(seen.failing)
    assert verdicts == [True, True, False]
    assert judge(seen, "a", Counts(5, 2)).failing, "the counters were not forgotten"
    assert not judge(Seen(), "", None).failing


def fetched(times: int, address: str = "a") -> Seen:
    return Seen(address, Counts(10 + times, 0, times))


def test_the_fetches_that_brought_news_are_read_apart() -> None:
    counts = parse(METRICS)
    assert counts is not None
    assert counts.news == 2


LOOKS: list[tuple[str, list[tuple[str, Seen]], list[float]]] = [
    ("nothing happens", [("c1", fetched(1)), ("c1", fetched(1))], [0, 0]),
    ("fetched and parsed", [("c1", fetched(1)), ("c2", fetched(2))], [0, 0]),
    ("fetched, then parsed", [("c1", fetched(1)), ("c1", fetched(2)), ("c2", fetched(2))], [0, 2, 0]),
    (
        "fetched and never parsed: since the first",
        [("c1", fetched(1)), ("c1", fetched(2)), ("c1", fetched(3)), ("c1", fetched(3))],
        [0, 2, 2, 2],
    ),
    (
        "parsed a moment before the fetch was counted",
        [("c1", fetched(1)), ("c2", fetched(1)), ("c2", fetched(2)), ("c2", fetched(3))],
        [0, 0, 0, 4],
    ),
    ("another pod counts from its own start", [("c1", fetched(1)), ("c1", fetched(9, "b"))], [0, 0]),
    ("git-sync was restarted", [("c1", fetched(3)), ("c1", fetched(1))], [0, 0]),
    ("git-sync did not answer", [("c1", fetched(1)), ("c1", Seen("a", None)), ("c1", fetched(1))], [0, 0, 0]),
    ("what is known outlives a silence", [("c1", fetched(1)), ("c1", fetched(2)), ("c1", Seen())], [0, 2, 2]),
]


@pytest.mark.covers("M-07")
@pytest.mark.parametrize(("name", "looks", "since"), LOOKS, ids=[case[0] for case in LOOKS])
def test_since_when_airflow_is_behind(name: str, looks: list[tuple[str, Seen]], since: list[float]) -> None:
    """The clock of look n says n."""
    revision: Revision | None = None
    before, told = Seen(), []
    for clock, (parsed, now) in enumerate(looks, 1):
        revision = follow(revision, parsed, before, now, clock)
        before = now
        told.append(revision.since)
    assert told == since, name


def test_the_words_name_the_field_and_what_serves() -> None:
    said = explain("main", "https://x/r.git", "0123456789")
    assert said.startswith("spec.dags.sources[main].gitSync: git-sync cannot fetch https://x/r.git: ")
    assert "commit 0123456 keeps" in said
    assert "commit" not in explain("main", "r", "")


def test_a_held_source_that_cannot_be_fetched_names_the_annotation_and_the_remedy() -> None:
    for said in (explain("main", "https://x/r.git", "", "a" * 40), fails("main", "not our ref", "a" * 40)):
        assert said.startswith("spec.dags.sources[main].gitSync: ")
        assert "metadata.annotations[airflowtenants.io/dag-revisions] holds it at aaaaaaa: " in said
        assert "write a commit that the repository has, or remove the annotation" in said
        assert "repo, ref" not in said, "the ref is not what is fetched"
    assert fails("main", "denied").endswith(
        "git-sync fails: denied; check repo, ref and credentialsSecretRef"
    )
