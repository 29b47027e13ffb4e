"""What of the ML team's DAGs needs a scheduler: pools that hold, and deadlines that are missed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import psycopg2
import pytest


@pytest.fixture
def narrow_pools(live: Any) -> Iterator[None]:
    """One GPU and two calls at a time: fewer slots than tasks that want one."""
    live.pool("gpu_pool", 1)
    live.pool("api_calls", 2)
    yield
    live.pool("gpu_pool", 2)
    live.pool("api_calls", 10)


def at_once(tasks: list[dict[str, Any]]) -> int:
    """The largest number of these tasks that ran at the same time."""
    moments = [(datetime.fromisoformat(task["start_date"]), 1) for task in tasks]
    moments += [(datetime.fromisoformat(task["end_date"]), -1) for task in tasks]
    running = most = 0
    for _, change in sorted(moments):
        running += change
        most = max(most, running)
    return most


@pytest.mark.covers("D002-4")
def test_a_pool_is_never_exceeded_and_the_heavier_training_goes_first(live: Any, narrow_pools: None) -> None:
    dag_id = "resource_managed_pipeline"
    live.unpause(
        dag_id
    )  # which starts the run of the newest tick: it must not hold up the one that is looked at
    live.until(lambda: [run for run in live.runs(dag_id) if run["state"] == "success"])
    live.pool("gpu_pool", 0)
    run_id = live.trigger(dag_id, conf={"work_seconds": 0.5})
    trainings = ("gpu_train_model_1", "gpu_train_model_2")
    live.until(lambda: {live.states(dag_id, run_id).get(task) for task in trainings} == {"scheduled"})
    live.pool("gpu_pool", 1)  # only now: else the first to be ready would start, whatever its weight
    assert live.wait(dag_id, run_id, 150) == "success"
    live.pause(dag_id)
    by_pool: dict[str, list[dict[str, Any]]] = {}
    for task in live.tasks(dag_id, run_id):
        by_pool.setdefault(task["pool"], []).append(task)
    assert {pool: len(tasks) for pool, tasks in by_pool.items()} == {
        "cpu_intensive": 2,
        "gpu_pool": 2,
        "api_calls": 5,
        "default_pool": 1,
    }
    assert at_once(by_pool["gpu_pool"]) == 1
    assert at_once(by_pool["api_calls"]) <= 2
    assert at_once(by_pool["cpu_intensive"]) <= 4
    started = sorted(by_pool["gpu_pool"], key=lambda task: task["start_date"])
    assert [task["task_id"] for task in started] == list(trainings)


@pytest.fixture
def mail(live: Any, smtp: Any) -> Iterator[Any]:
    """The test's mail server, as the triggerer's smtp_default."""
    with contextlib.suppress(Exception):
        live.call("DELETE", "/api/v2/connections/smtp_default")
    extra = {"disable_tls": True, "disable_ssl": True, "from_email": "airflow@example.com"}
    body = {"connection_id": "smtp_default", "conn_type": "smtp", "host": "127.0.0.1", "port": smtp.port}
    live.call("POST", "/api/v2/connections", body | {"extra": json.dumps(extra)})
    yield smtp
    live.call("DELETE", "/api/v2/connections/smtp_default")


def hurry_deadlines(live: Any, run_id: str) -> set[timedelta]:
    """Let the run's deadlines end three hours earlier; returns how long after queueing each one ended."""
    address = live.server.environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg2", "")
    with contextlib.closing(psycopg2.connect(address)) as database, database, database.cursor() as cursor:
        cursor.execute(
            "UPDATE deadline SET deadline_time = deadline_time - interval '3 hours' FROM dag_run"
            " WHERE dag_run.id = deadline.dagrun_id AND dag_run.run_id = %s"
            " RETURNING deadline_time + interval '3 hours' - dag_run.queued_at",
            [run_id],
        )
        return {length for (length,) in cursor.fetchall()}


@pytest.mark.covers("D002-5")
def test_a_missed_deadline_of_a_run_without_logical_date_mails_the_team(live: Any, mail: Any) -> None:
    dag_id = "sla_monitored_pipeline"
    run_id = live.trigger(dag_id, logical_date=None)
    assert hurry_deadlines(live, run_id) == {timedelta(minutes=30), timedelta(hours=1), timedelta(hours=2)}

    def page(message: Any) -> str:
        return message.get_body(("html",)).get_content()

    def late() -> dict[str, Any]:
        found = {message["Subject"]: message for message in mail.messages if run_id in page(message)}
        return found if len(found) == 3 else {}

    found = live.until(late, 120)
    live.pause(dag_id)
    assert set(found) == {
        "sla_monitored_pipeline is late: extract_data (0:30:00)",
        "sla_monitored_pipeline is late: train_model (1:00:00)",
        "sla_monitored_pipeline is late: sla_monitored_pipeline (2:00:00)",
    }
    assert {message["To"] for message in found.values()} == {"ml-team@example.com"}
    for message in found.values():
        assert "deadline missed: due 20" in page(message)
        assert dag_id in page(message)
