"""Which DAGs nobody has used for a while, and how to pause them through Airflow's REST API.

A task cannot read Airflow's database; it asks `GET /api/v2/dags`, `.../dagRuns` and `.../dagVersions`, and
pauses with `PATCH /api/v2/dags/{dag_id}`.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict
from urllib.parse import quote

if TYPE_CHECKING:
    from airflow_usecases.airflow_rest import AirflowRest


class IdleDag(TypedDict):
    """A DAG that may be paused; `idle_days` since its last run, or since it appeared when it never ran."""

    dag_id: str
    idle_days: int
    ever_ran: bool


@dataclass(frozen=True)
class Activity:
    """What is known of one active DAG."""

    dag_id: str
    tags: frozenset[str]
    last_run: datetime.datetime | None
    first_seen: datetime.datetime


@dataclass(frozen=True)
class Protection:
    """What is never paused: DAGs with one of the tags, and the named ones."""

    tags: Collection[str] = ()
    dag_ids: Collection[str] = ()

    def covers(self, dag: Activity) -> bool:
        """Whether this DAG must be left alone."""
        return dag.dag_id in self.dag_ids or not dag.tags.isdisjoint(self.tags)


def find_idle(
    dags: Iterable[Activity], now: datetime.datetime, unused_days: int, protection: Protection
) -> list[IdleDag]:
    """The unprotected DAGs without a run for `unused_days` full days or more, the longest unused first.

    Raises ValueError for fewer than 1 day.
    """
    if unused_days < 1:
        raise ValueError("unused_days must be 1 or more")
    idle: list[IdleDag] = []
    for dag in dags:
        days = (now - (dag.last_run or dag.first_seen)).days
        if days >= unused_days and not protection.covers(dag):
            idle.append({"dag_id": dag.dag_id, "idle_days": days, "ever_ran": dag.last_run is not None})
    return sorted(idle, key=_longest_first)


def _longest_first(dag: IdleDag) -> tuple[int, str]:
    return -dag["idle_days"], dag["dag_id"]


def active_dags(airflow: AirflowRest) -> Iterator[Activity]:
    """Every DAG that is not paused, with its last run. Raises what `AirflowRest` raises."""
    for dag in airflow.all("/api/v2/dags", "dags", paused="false"):
        path = _path(dag["dag_id"])
        runs = airflow.get(f"{path}/dagRuns", limit=1, order_by="-run_after")["dag_runs"]
        versions = airflow.get(f"{path}/dagVersions", limit=1, order_by="version_number")
        yield Activity(
            dag_id=dag["dag_id"],
            tags=frozenset(tag["name"] for tag in dag["tags"]),
            last_run=_moment(runs[0]["run_after"]) if runs else None,
            first_seen=_moment(versions["dag_versions"][0]["created_at"]),
        )


def pause(airflow: AirflowRest, dag_id: str) -> None:
    """Let no new run start. Pausing a paused DAG changes nothing. Raises what `AirflowRest` raises."""
    airflow.patch(_path(dag_id), {"is_paused": True})


def _path(dag_id: str) -> str:
    return f"/api/v2/dags/{quote(dag_id, safe='')}"


def _moment(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)
