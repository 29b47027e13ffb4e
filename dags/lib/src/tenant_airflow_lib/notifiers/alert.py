"""What an alert says, out of the context of a task's, a DAG's or a deadline's callback."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_LONGEST_ERROR = 500  # characters; Slack takes 2,000 in a field, people read the first line
_LONGEST_HEADER = 150  # characters, Slack's limit of a header block


def masked(value: object) -> str:
    """The text with `***` for every secret that Airflow masks in its logs: a message leaves Airflow.

    Mask before you cut or escape a text: half a password, or one with `&amp;` in it, is not recognised.
    """
    from airflow.sdk.log import redact  # type: ignore[attr-defined]

    return str(redact(str(value)))


@dataclass(frozen=True)
class Alert:
    """The facts of one failure. `task_id` and `log_url` are None when a DAG or a deadline is meant.

    `error` holds no secret that Airflow knows of: see `masked`.
    """

    dag_id: str
    run_id: str
    date: str
    error: str
    task_id: str | None = None
    log_url: str | None = None
    try_number: int | None = None
    tags: frozenset[str] = frozenset()

    @classmethod
    def of(cls, context: Mapping[str, Any]) -> Alert:
        """Read a callback's context. Nothing in it is required: an alert with gaps beats none."""
        run = context.get("dag_run")
        ti = context.get("ti") or context.get("task_instance")
        dag = context.get("dag")
        return cls(
            dag_id=str(_get(ti, "dag_id") or _get(dag, "dag_id") or _get(run, "dag_id") or "unknown DAG"),
            run_id=str(context.get("run_id") or _get(run, "run_id") or _get(run, "dag_run_id") or ""),
            date=_date(context, run),
            error=masked(_error(context))[:_LONGEST_ERROR],
            task_id=_get(ti, "task_id"),
            log_url=_get(ti, "log_url"),
            try_number=_get(ti, "try_number"),
            tags=frozenset(_get(dag, "tags") or ()),
        )

    @property
    def name(self) -> str:
        """`dag.task`, or the DAG alone."""
        return f"{self.dag_id}.{self.task_id}" if self.task_id else self.dag_id

    @property
    def team(self) -> str | None:
        """The team that the DAG's tag `team:<name>` names."""
        return next((tag.partition(":")[2] for tag in sorted(self.tags) if tag.startswith("team:")), None)

    @property
    def facts(self) -> dict[str, str]:
        """What every channel shows, in this order."""
        facts = {"DAG": self.dag_id, "Task": self.task_id or "-", "Date": self.date, "Error": self.error}
        return facts | {"Log": self.log_url or "-"}

    def title(self, level: str | None = None, headline: str | None = None) -> str:
        """One line, secrets masked; `level` such as P1 goes first."""
        text = masked(headline) if headline else f"{self.name} failed"
        return (f"[{level}] {text}" if level else text)[:_LONGEST_HEADER]


def _get(owner: Any, name: str) -> Any:
    """Attribute or key: a deadline's context holds dictionaries."""
    value = owner.get(name) if isinstance(owner, Mapping) else getattr(owner, name, None)
    return value


def _date(context: Mapping[str, Any], run: Any) -> str:
    moment = _get(run, "logical_date") or _get(run, "run_after") or context.get("ts") or "-"
    return moment.isoformat() if isinstance(moment, datetime.datetime) else str(moment)


def _error(context: Mapping[str, Any]) -> str:
    if error := context.get("exception"):
        return f"{type(error).__name__}: {error}" if isinstance(error, BaseException) else str(error)
    if deadline := context.get("deadline"):
        return f"deadline missed: due {_get(deadline, 'deadline_time')}"
    return str(context.get("reason") or "no reason given")
