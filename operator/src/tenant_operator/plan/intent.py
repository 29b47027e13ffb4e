"""What the annotations of a tenant ask for, laid over its spec. Pure.

Actions (a button in Argo CD, `kubectl annotate`) write annotations, not spec: GitOps heals the spec back to
what Git says, and leaves annotations alone that Git does not name.

| annotation | value | effect |
|---|---|---|
| airflowtenants.io/suspend | true, false | wins over spec.suspend |
| airflowtenants.io/state | Running, Hibernated | wins over spec.state |
| airflowtenants.io/dag-revisions | SOURCE=COMMIT[@SEEN], ... | holds gitSync sources there, not at ref |
| airflowtenants.io/reconcile-requested-at | any text | a full pass, once for each new value |
| airflowtenants.io/dag-sync-requested-at | any text | git-sync fetches now, once for each new value |

SEEN is the commit that the status told when COMMIT was chosen. The status is as old as the last look into
Airflow: if Airflow has another commit by now, the choice was made on old news. Entries with SEEN are decided
together: if one was chosen on old news, none of them is held.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tenant_operator.api.tenant import TenantSpec
from tenant_operator.core import names
from tenant_operator.core.errors import InvalidSpec

#: A whole hash, SHA-1 or SHA-256: git-sync takes a short one for the name of a branch.
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?", re.ASCII)
#: A request's value is copied into the status.
_MAX_REQUEST = 256
#: Names in one message.
_MAX_NAMED = 3


def place(annotation: str) -> str:
    """How messages name an annotation."""
    return f"metadata.annotations[{annotation}]"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a tenant's DAG sources, for those holds that depend on it."""

    #: the commit that Airflow had of each source when it was asked after the holds had been written
    commits: Mapping[str, str] = field(default_factory=dict)
    #: the commits at which sources are held already: there they stay, whatever Airflow parses on the way
    held: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Hold:
    """One entry of the annotation: `seen` is the commit on which it depends, empty when on none."""

    commit: str
    seen: str = ""


@dataclass(frozen=True, slots=True)
class Intent:
    """What is asked for beyond the spec's own fields, and who asks."""

    #: the field or annotation that suspends the tenant; empty while nobody does
    suspended_by: str = ""
    #: the field or annotation that puts the tenant to sleep; empty while it is to run
    hibernated_by: str = ""
    #: the ref from the spec of each source that is held at a commit
    held: Mapping[str, str] = field(default_factory=dict)
    #: the commit of each of them
    commits: Mapping[str, str] = field(default_factory=dict)
    #: fields of the spec that an annotation keeps from having an effect; in words, with the remedy
    overruled: tuple[str, ...] = ()
    #: what an annotation asks for that cannot be done, in words, with the remedy; empty: nothing
    ignored: str = ""
    #: what an annotation asks for that is decided at the next look into Airflow, in words; empty: nothing
    undecided: str = ""
    #: value of the last request for a full pass; empty: there never was one
    reconcile: str = ""
    #: value of the last request for a fetch; empty: there never was one
    dag_sync: str = ""

    @property
    def remarks(self) -> str:
        """Where annotations and spec differ, and the remedy: an annotation outlives its reason."""
        by = place(names.ANNOTATION_DAG_REVISIONS)
        held = f"{_named(self.held)} held by {by}: remove it to follow spec.dags"
        return "; ".join(
            filter(None, (*self.overruled, held if self.held else "", self.ignored, self.undecided))
        )


def merge(spec: TenantSpec, raw: Mapping[str, Any], known: Known) -> tuple[TenantSpec, Intent]:
    """The spec as it is to be carried out, and the intent.

    `raw` is the tenant as the API server stores it, `spec` its spec. Raises InvalidSpec, which names the
    annotation, what is wrong with it, and the remedy.
    """
    annotations = _annotations(raw)
    suspend = _one_of(annotations, names.ANNOTATION_SUSPEND, ("true", "false"))
    state = _one_of(annotations, names.ANNOTATION_STATE, ("Running", "Hibernated"))
    asked, unknown = _of_git(spec, _holds(revisions(raw)))
    commits, stale, undecided = _judged(asked, known)
    effective = spec.model_copy(
        update={
            "suspend": spec.suspend if suspend is None else suspend == "true",
            "state": state or spec.state,
            "dags": _held_at(spec, commits),
        }
    )
    refs = {source.name: source.git_sync.ref for source in spec.dags.sources if source.git_sync}
    return effective, Intent(
        suspended_by=_who("spec.suspend", names.ANNOTATION_SUSPEND, suspend) if effective.suspend else "",
        hibernated_by=_who("spec.state", names.ANNOTATION_STATE, state)
        if effective.state == "Hibernated"
        else "",
        held={source: refs[source] for source in commits},
        commits=commits,
        overruled=_overruled(spec, suspend, state),
        ignored="; ".join(filter(None, (unknown, stale))),
        undecided=undecided,
        reconcile=_request(annotations, names.ANNOTATION_RECONCILE),
        dag_sync=_request(annotations, names.ANNOTATION_DAG_SYNC),
    )


def suspended(raw: Mapping[str, Any]) -> bool:
    """Whether a tenant is suspended, also when something else in it is wrong. Never raises."""
    asked = _annotations(raw).get(names.ANNOTATION_SUSPEND)
    spec = raw.get("spec") or {}
    return asked == "true" if asked in ("true", "false") else spec.get("suspend") is True


def hibernated(raw: Mapping[str, Any]) -> bool:
    """Whether a tenant is to be at rest, also when something else in it is wrong. Never raises."""
    asked = _annotations(raw).get(names.ANNOTATION_STATE)
    spec = raw.get("spec") or {}
    return (asked if asked in ("Running", "Hibernated") else spec.get("state")) == "Hibernated"


def revisions(raw: Mapping[str, Any]) -> str:
    """The text of the annotation that holds sources, as somebody wrote it. Never raises."""
    return _annotations(raw).get(names.ANNOTATION_DAG_REVISIONS, "")


def requested(raw: Mapping[str, Any], annotation: str) -> str:
    """The value of a request, empty when there is none. Never raises."""
    value = _annotations(raw).get(annotation, "")
    return value if len(value) <= _MAX_REQUEST else ""


def _annotations(raw: Mapping[str, Any]) -> Mapping[str, str]:
    return raw["metadata"].get("annotations") or {}


def _who(spec_field: str, annotation: str, asked: str | None) -> str:
    return spec_field if asked is None else place(annotation)


def _overruled(spec: TenantSpec, suspend: str | None, state: str | None) -> tuple[str, ...]:
    """What the spec asks for and does not get. Who asks for more is in `suspended_by` and `hibernated_by`."""
    found = []
    if spec.suspend and suspend == "false":
        found.append(("spec.suspend: true", names.ANNOTATION_SUSPEND))
    if spec.state == "Hibernated" and state == "Running":
        found.append(("spec.state: Hibernated", names.ANNOTATION_STATE))
    return tuple(f"{said} is overruled by {place(by)}: remove it to follow the spec" for said, by in found)


def _one_of(annotations: Mapping[str, str], annotation: str, allowed: tuple[str, str]) -> str | None:
    value = annotations.get(annotation)
    if value is not None and value not in allowed:
        raise InvalidSpec(
            f"{place(annotation)}: must be {allowed[0]} or {allowed[1]}, not {_short(value)}: "
            "correct it, or remove the annotation to let the spec decide"
        )
    return value


def _request(annotations: Mapping[str, str], annotation: str) -> str:
    value = annotations.get(annotation, "")
    if len(value) > _MAX_REQUEST:
        raise InvalidSpec(
            f"{place(annotation)}: must be at most {_MAX_REQUEST} characters: write the time, for example "
            "2026-01-31T12:00:00Z"
        )
    return value


def _holds(text: str) -> dict[str, _Hold]:
    """The holds by source; the form only."""
    found: dict[str, _Hold] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        source, separator, value = part.partition("=")
        if not separator:
            raise _wrong(f"{_short(part)} is not SOURCE=COMMIT: write main=<commit>[,other=<commit>]")
        commit, at, seen = value.partition("@")
        for written in (commit, *([seen] if at else [])):
            if not _COMMIT.fullmatch(written):
                raise _wrong(
                    f"source {_short(source)}: {_short(written)} is not a full commit hash (40 lower case "
                    "hex digits): `git rev-parse` tells it"
                )
        if source in found:
            raise _wrong(f"source {_short(source)} is named twice: name it once")
        found[source] = _Hold(commit, seen)
    return found


def _of_git(spec: TenantSpec, holds: Mapping[str, _Hold]) -> tuple[dict[str, _Hold], str]:
    """The holds of sources that Git knows, and words about the others.

    A source that Git renames or removes leaves a hold behind: that must not keep the tenant from being looked
    after, so it is told and no error.
    """
    pulled = {source.name for source in spec.dags.sources if source.git_sync is not None}
    unknown = [name for name in holds if name not in pulled]
    words = (
        f"{place(names.ANNOTATION_DAG_REVISIONS)} holds nothing for {_named(unknown)}: spec.dags has no "
        "gitSync source of that name; correct or remove the annotation"
    )
    return {name: hold for name, hold in holds.items() if name in pulled}, words if unknown else ""


def _judged(holds: Mapping[str, _Hold], known: Known) -> tuple[dict[str, str], str, str]:
    """The commits that are held; words about holds that were chosen on old news, and about undecided ones.

    What was chosen together is held together: sources at commits that never ran side by side are no way back.
    """
    settled = {name for name, hold in holds.items() if not hold.seen or known.held.get(name) == hold.commit}
    commits = {name: holds[name].commit for name in settled}
    chosen = {name: hold for name, hold in holds.items() if name not in settled}
    late = [name for name, hold in chosen.items() if _late(hold, known.commits.get(name))]
    if late:
        return commits, _stale(chosen, late, known), ""
    if all(name in known.commits for name in chosen):
        return commits | {name: hold.commit for name, hold in chosen.items()}, "", ""
    waits = (
        f"{place(names.ANNOTATION_DAG_REVISIONS)} holds {_named(chosen)} once Airflow is seen to have the "
        "commit after @: a hold without @ does not wait for Airflow"
    )
    # Until then they stay where they are: to let them go would roll their pods to and fro.
    return commits | {name: known.held[name] for name in chosen if name in known.held}, "", waits


def _late(hold: _Hold, has: str | None) -> bool:
    """Whether a hold was chosen on old news, if that is known."""
    return has is not None and has not in (hold.seen, hold.commit)


def _stale(chosen: Iterable[str], late: Iterable[str], known: Known) -> str:
    """Why nothing is held. No words name the commit that Airflow has: a push would make another Event."""
    moved = [name for name in late if known.commits[name]]
    gone = [name for name in late if not known.commits[name]]
    why = " and ".join(
        ([f"Airflow has another commit of {_named(moved)} than the one after @"] if moved else [])
        + ([f"Airflow has no DAG of {_named(gone)}, and so no commit at all"] if gone else [])
    )
    return (
        f"{place(names.ANNOTATION_DAG_REVISIONS)} holds nothing for {_named(chosen)}: {why}: remove the "
        "annotation, look at status.dags, and roll back anew"
    )


def _named(sources: Iterable[str]) -> str:
    """Names from an annotation, bounded."""
    listed = list(sources)
    more = f" and {len(listed) - _MAX_NAMED} more" if len(listed) > _MAX_NAMED else ""
    return ", ".join(_short(name) for name in listed[:_MAX_NAMED]) + more


def _held_at(spec: TenantSpec, commits: Mapping[str, str]) -> Any:
    """The spec's DAG sources with the held ones at their commits."""
    sources = [
        source.model_copy(
            update={"git_sync": source.git_sync.model_copy(update={"ref": commits[source.name]})}
        )
        if source.git_sync is not None and source.name in commits
        else source
        for source in spec.dags.sources
    ]
    return spec.dags.model_copy(update={"sources": sources})


def _wrong(message: str) -> InvalidSpec:
    return InvalidSpec(f"{place(names.ANNOTATION_DAG_REVISIONS)}: {message}")


def _short(text: str) -> str:
    """What somebody wrote, quoted and bounded, for a message."""
    return repr(text if len(text) <= 64 else text[:61] + "...")
