"""Whether git-sync still reaches a repository, judged by its counters at two looks.

The sidecar retries for ever and keeps the last good tree, so nothing else tells that a token was
revoked or a branch deleted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from tenant_operator.core import names

_COUNT = re.compile(
    r'^git_sync_count_total\{(?:[^}]*,)?status="(?P<status>\w+)"[^}]*\}\s+(?P<value>\d+(?:\.\d+)?(?:[eE]\+?\d+)?)',
    re.MULTILINE,
)
_HOLD = f"metadata.annotations[{names.ANNOTATION_DAG_REVISIONS}]"
#: looks in a row without an answer after which an earlier verdict no longer counts
_MISSES = 3


@dataclass(frozen=True, slots=True)
class Counts:
    """git-sync's attempts since it started: those that worked (with or without news) and the others."""

    good: int = 0
    errors: int = 0
    #: those of the good ones that brought another commit
    news: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of one source's git-sync after a look; `address` is the pod that was asked."""

    address: str = ""
    counts: Counts | None = None
    failing: bool = False
    misses: int = 0


def parse(text: str) -> Counts | None:
    """The counters out of Prometheus' text format; None if they are not in it."""
    found = {match["status"]: int(float(match["value"])) for match in _COUNT.finditer(text)}
    if not found:
        return None
    news = found.get("success", 0)
    return Counts(news + found.get("noop", 0), found.get("error", 0), news)


def judge(before: Seen, address: str, counts: Counts | None) -> Seen:
    """What is known now. `counts` is None when git-sync could not be asked: that says nothing of Git."""
    if counts is None:
        misses = before.misses + 1
        return Seen(before.address, before.counts, before.failing and misses < _MISSES, misses)
    base = before.counts
    if base is None or address != before.address:
        # Nothing to compare with. A pod's first fetch has worked, or it would not run; but one that was
        # called failing before a restart of the operator stays so until it is seen to work.
        kept = before.failing and base is None and counts.errors > 0
        return Seen(address, counts, kept)
    if counts.good < base.good or counts.errors < base.errors:
        base = Counts()  # git-sync was restarted and counts anew
    if counts.good > base.good:
        return Seen(address, counts, False)
    return Seen(address, counts, before.failing or counts.errors > base.errors)


@dataclass(frozen=True, slots=True)
class Revision:
    """How Airflow follows a source: `parsed` is its commit, `since` when it fell behind (0: it has not)."""

    parsed: str = ""
    since: float = 0.0
    #: Airflow was seen with a new commit before git-sync had counted the fetch
    early: bool = False


def follow(old: Revision | None, parsed: str, before: Seen, now: Seen, clock: float) -> Revision:
    """What is known after a look. git-sync tells no commit, only that it fetched another one.

    `before` and `now` are git-sync at the last look and at this one, `clock` is in seconds since the epoch.
    """
    if old is None:
        return Revision(parsed)
    counts, base = now.counts, before.counts
    counted = counts is not None and base is not None and now.address == before.address
    fetched = counted and counts is not None and base is not None and counts.news > base.news
    if parsed != old.parsed:
        return Revision(parsed, early=not fetched)
    if fetched and not old.early:
        return Revision(parsed, old.since or clock)
    return Revision(parsed, old.since, old.early and not fetched)


def place(source: str) -> str:
    """The field of the spec that a failure is about."""
    return f"spec.dags.sources[{source}].gitSync"


def explain(source: str, repo: str, commit: str, held: str = "") -> str:
    """The words for people; `commit` is what Airflow has parsed, `held` where it is held, perhaps nothing."""
    serving = f"the last good commit {commit[:7]} keeps serving" if commit else "what it fetched last is kept"
    return f"{place(source)}: git-sync cannot fetch {repo}: {serving}; {remedy(held)}"


def fails(source: str, said: str, held: str = "") -> str:
    """The words for a first fetch that fails: git-sync `said` why, `held` is where the source is held."""
    return f"{place(source)}: git-sync fails: {said}; {remedy(held)}"


def remedy(held: str = "") -> str:
    """What to do about a fetch that fails. A held source's ref is not even asked for."""
    if not held:
        return "check repo, ref and credentialsSecretRef"
    return (
        f"{_HOLD} holds it at {held[:7]}: write a commit that the repository has, or remove the annotation "
        "(else check repo and credentialsSecretRef)"
    )
