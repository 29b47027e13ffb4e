"""Asking by annotation, on a tenant whose git-sync looks at its repository every ten minutes only."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from tests.e2e.support import Environment

from demo.kube import TENANTS, Json
from demo.process import wait_for
from demo.samples import FIRST_MESSAGE, PAYMENTS

READERS = {"scheduler", "dag-processor", "triggerer"}
#: well below git-sync's period
SOON = 90.0


@pytest.fixture(scope="module")
def slow(environment: Environment) -> Iterator[Environment]:
    """payments with a period of ten minutes; its spec and annotations are put back."""
    environment.wait_ready("payments")
    with environment.restored("payments") as spec:
        sources = copy.deepcopy(spec["dags"]["sources"])
        sources[0]["gitSync"]["period"] = "10m"
        before = environment.wait_settled("payments")
        environment.patch("payments", {"dags": {"sources": sources}})
        wait_for("the roll", lambda: all(
            environment.uids("payments").get(reader) != before[reader] for reader in READERS
        ), seconds=300)  # fmt: skip
        environment.wait_settled("payments")
        yield environment
        annotate(environment, "dag-revisions", None)


def annotate(environment: Environment, key: str, value: str | None) -> None:
    named = {f"airflowtenants.io/{key}": value}
    environment.kube.merge_patch(f"{TENANTS}/payments", {"metadata": {"annotations": named}})


def ask(environment: Environment, key: str, answer: str) -> None:
    """Ask with the time of now, and wait for the answer in the status."""
    value = datetime.now(UTC).isoformat()
    annotate(environment, key, value)
    wait_for(f"status.{answer}", lambda: status(environment).get(answer) == value, seconds=SOON)


def status(environment: Environment) -> Json:
    found: Json = environment.tenant("payments").raw["status"]
    return found


def source(environment: Environment) -> Json:
    found: Json = status(environment)["dags"][0]
    return found


def push(environment: Environment, text: str) -> str:
    """One more commit on the branch."""
    with environment.git.open("payments", PAYMENTS.repository, FIRST_MESSAGE) as (working, url):
        (working.directory / "REQUESTS.md").write_text(f"{text} {datetime.now(UTC).isoformat()}\n")
        commit = working.commit(text)
        working.push(url)
    return str(commit)


def wait_parsed(environment: Environment, commit: str, seconds: float = SOON) -> None:
    wait_for(
        f"commit {commit[:7]} in the status",
        lambda: source(environment)["commit"] == commit,
        seconds=seconds,
        seen=lambda: source(environment),
    )


def test_a_fetch_brings_a_pushed_commit_long_before_the_period(slow: Environment) -> None:
    before, earlier = slow.uids("payments"), source(slow)["commit"]
    commit = push(slow, "Fetch now")
    ask(slow, "dag-sync-requested-at", "lastHandledDagSyncAt")
    wait_parsed(slow, commit)
    assert source(slow)["previousCommit"] == earlier
    assert slow.uids("payments") == before, "no pod restarts for it"
    restarts = [
        found["restartCount"]
        for pod in slow.pods("payments")
        for found in pod["status"].get("initContainerStatuses") or []
        if found["name"] == "git-sync-main"
    ]
    assert restarts == [0] * len(restarts), "the signal ends no git-sync"
    assert len(restarts) == len(READERS)


@pytest.mark.timeout(1200, func_only=True)
def test_dags_are_rolled_back_held_and_followed_again(slow: Environment) -> None:
    bad = push(slow, "To go back from")
    ask(slow, "dag-sync-requested-at", "lastHandledDagSyncAt")
    wait_parsed(slow, bad)
    good = source(slow)["previousCommit"]
    assert good not in ("", bad)

    annotate(slow, "dag-revisions", f"main={good}")
    wait_parsed(slow, good, seconds=300)
    held = slow.wait_condition("payments", "DagsSynced", "True", seconds=120)
    assert f"main is held at {good[:7]} by the annotation airflowtenants.io/dag-revisions" in held.message
    assert (source(slow)["held"], source(slow)["previousCommit"]) == (True, good)
    slow.wait_settled("payments")

    annotate(slow, "dag-revisions", None)
    wait_parsed(slow, bad, seconds=300)
    assert (source(slow)["held"], source(slow)["previousCommit"]) == (False, good)
    slow.wait_settled("payments")


def test_a_request_for_everything_is_answered_and_restarts_nothing(slow: Environment) -> None:
    before = slow.wait_settled("payments")
    ask(slow, "reconcile-requested-at", "lastHandledReconcileAt")
    assert slow.tenant("payments").ready
    assert slow.wait_settled("payments") == before
