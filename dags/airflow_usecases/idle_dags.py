"""Which DAGs nobody has used for a while, and how to pause them through Airflow's REST API.

A task cannot read Airflow's database; it asks `GET /api/v2/dags`, `.../dagRuns` and `.../dagVersions`, and
pauses with `PATCH /api/v2/dags/{dag_id}`.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypedDict
from urllib.parse import quote

PAGE = 100
TIMEOUT = 10  # seconds


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


class Session(Protocol):
    """What is needed of a `requests.Session`."""

    def request(self, method: str, url: str, **options: Any) -> Any:
        """One request; the answer has `raise_for_status()` and `json()`."""


class AirflowApi:
    """Airflow's REST API v2 at `url`. Each call raises `requests.HTTPError` for an answer above 399."""

    def __init__(self, url: str, session: Session, token: str) -> None:
        self._url = url.rstrip("/")
        self._session = session
        self._token = token

    @classmethod
    def login(cls, url: str, session: Session, username: str, password: str) -> AirflowApi:
        """Exchange a user's name and password for a token (`POST /auth/token`)."""
        answer = session.request(
            "POST",
            f"{url.rstrip('/')}/auth/token",
            json={"username": username, "password": password},
            timeout=TIMEOUT,
        )
        answer.raise_for_status()
        return cls(url, session, answer.json()["access_token"])

    def active_dags(self) -> Iterator[Activity]:
        """Every DAG that is not paused, page by page, with its last run."""
        offset, total = 0, 1
        while offset < total:
            page = self._call("GET", "/api/v2/dags", paused="false", limit=PAGE, offset=offset)
            for dag in page["dags"]:
                yield self._activity(dag)
            offset, total = offset + PAGE, page["total_entries"]

    def pause(self, dag_id: str) -> None:
        """Let no new run start. Pausing a paused DAG changes nothing."""
        self._call("PATCH", f"/api/v2/dags/{quote(dag_id, safe='')}", body={"is_paused": True})

    def _activity(self, dag: Mapping[str, Any]) -> Activity:
        path = f"/api/v2/dags/{quote(dag['dag_id'], safe='')}"
        runs = self._call("GET", f"{path}/dagRuns", limit=1, order_by="-run_after")["dag_runs"]
        versions = self._call("GET", f"{path}/dagVersions", limit=1, order_by="version_number")
        return Activity(
            dag_id=dag["dag_id"],
            tags=frozenset(tag["name"] for tag in dag["tags"]),
            last_run=_moment(runs[0]["run_after"]) if runs else None,
            first_seen=_moment(versions["dag_versions"][0]["created_at"]),
        )

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None, **query: Any) -> Any:
        answer = self._session.request(
            method,
            self._url + path,
            params=query,
            json=body,
            headers={"Authorization": f"Bearer {self._token}"},
            timeout=TIMEOUT,
        )
        answer.raise_for_status()
        return answer.json()


def _moment(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)
