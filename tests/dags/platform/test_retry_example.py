"""429 is retried with growing delays, 400 is not, and the workspace goes in any case."""

from __future__ import annotations

import datetime
import hashlib
import logging
from types import SimpleNamespace
from unittest import mock

import pytest
from tests.dags.lib.playing import play
from tests.dags.library import bag
from tests.dags.runner import run

DAG_ID = "retry_example"


@pytest.fixture
def api(httpserver, http_connection, connect):
    http_connection("prices_api")
    connect("slack_webhook", "slackwebhook", host=httpserver.url_for("/slack"), password="T0/B0/secret")
    httpserver.expect_request("/slack/T0/B0/secret", method="POST").respond_with_data("ok")
    return httpserver


def calls(httpserver, path: str) -> int:
    return sum(request.path.startswith(path) for request, _ in httpserver.log)


def delays(task_id: str, tries: int, random_part: int) -> list[float]:
    """Minutes that Airflow's scheduler waits after each failed try, with its random part fixed (0: none)."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.serialization.serialized_objects import DagSerialization

    task = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(bag().dags[DAG_ID])).get_task(
        task_id
    )
    end = datetime.datetime(2026, 3, 6, tzinfo=datetime.UTC)
    found = []
    for try_number in range(1, tries + 1):
        ti = SimpleNamespace(
            task=task,
            retry_delay_override=None,
            try_number=try_number,
            dag_id=DAG_ID,
            task_id=task_id,
            logical_date=end,
            end_date=end,
            log=logging.getLogger(),
        )
        digest = SimpleNamespace(hexdigest=lambda: f"{random_part:x}")
        with mock.patch.object(hashlib, "sha1", return_value=digest):
            found.append((TaskInstance.next_retry_datetime(ti) - end).total_seconds() / 60)
    return found


@pytest.mark.covers("D000-5")
def test_the_delays_are_5_10_20_and_then_never_more_than_30_minutes():
    assert delays("count_prices", 3, 0) == [5, 10, 20]
    assert delays("fetch_prices", 5, 0) == [5, 10, 20, 30, 30]


@pytest.mark.covers("D000-5")
def test_the_random_part_never_exceeds_the_cap():
    almost_double = [5 * 60 - 1, 10 * 60 - 1, 20 * 60 - 1]
    assert delays("fetch_prices", 1, almost_double[0]) == [pytest.approx(10, abs=0.02)]
    assert delays("fetch_prices", 3, almost_double[2])[2] == 30


@pytest.mark.covers("D000-5")
def test_the_defaults_are_3_retries_with_one_override_of_5_and_30_minutes_a_try():
    dag = bag().dags[DAG_ID]
    assert {task_id: dag.get_task(task_id).retries for task_id in dag.task_ids} == {
        "create_workspace": 3,
        "fetch_prices": 5,
        "count_prices": 3,
        "remove_workspace": 3,
    }
    for task in dag.tasks:
        assert task.retry_delay == datetime.timedelta(minutes=5)
        assert task.execution_timeout == datetime.timedelta(minutes=30)


@pytest.mark.covers("D000-5")
def test_two_rate_limits_are_retried_and_logged_with_their_try_and_nobody_is_alerted(api, tmp_path, caplog):
    for _ in range(2):
        api.expect_ordered_request("/v1/prices").respond_with_data(
            "", status=429, headers={"Retry-After": "1"}
        )
    api.expect_ordered_request("/v1/prices").respond_with_json({"prices": {"gold": 1, "tin": 2}})
    with caplog.at_level(logging.WARNING, logger="airflow_usecases.rate_limit"):
        done = run(DAG_ID, conf={"workspace_root": str(tmp_path)})
    assert done.state == "success"
    assert done.tries("fetch_prices") == 3
    assert done.xcom("count_prices") == 2
    lines = [record.getMessage() for record in caplog.records if record.name == "airflow_usecases.rate_limit"]
    assert [line.partition(":")[0] for line in lines] == [
        "try 1 of fetch_prices failed",
        "try 2 of fetch_prices failed",
    ]
    assert calls(api, "/slack") == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.covers("D000-5")
def test_a_400_fails_at_once_with_one_alert_and_the_workspace_is_gone(api, tmp_path, caplog):
    api.expect_request("/v1/prices").respond_with_data("bad request", status=400)
    with caplog.at_level(logging.INFO):
        done = run(DAG_ID, conf={"workspace_root": str(tmp_path)})
    assert done.state == "failed"
    assert done.states == {
        "create_workspace": "success",
        "fetch_prices": "failed",
        "count_prices": "upstream_failed",
        "remove_workspace": "success",
    }
    assert done.tries("fetch_prices") == 1
    assert calls(api, "/v1/prices") == 1
    assert calls(api, "/slack") == 1
    assert "RequestRefused: status 400" in str(api.log[-1][0].json)
    assert done.xcom("create_workspace").startswith(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.covers("D000-5")
def test_a_rate_limit_without_end_fails_after_six_tries(api, tmp_path):
    api.expect_request("/v1/prices").respond_with_data("", status=429)
    done = run(DAG_ID, conf={"workspace_root": str(tmp_path)})
    assert done.states["fetch_prices"] == "failed"
    assert done.tries("fetch_prices") == calls(api, "/v1/prices") == 6
    assert calls(api, "/slack") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.covers("X-09")
def test_backoff_and_policy_are_airflow_s_own_and_the_limit_of_a_try_is_not_that_of_the_run():
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.sdk import ExceptionRetryPolicy

    dag = bag().dags[DAG_ID]
    fetch = dag.get_task("fetch_prices")
    assert fetch.retry_exponential_backoff == 2.0
    assert isinstance(fetch.retry_policy, ExceptionRetryPolicy)
    with pytest.raises(TypeError, match="retry_args"):
        BashOperator(task_id="a", bash_command="true", retry_args={"factor": 2})
    # a try may take its limit each time, and with all pauses the run still has time
    tries = fetch.retries + 1
    pauses = datetime.timedelta(minutes=sum(delays("fetch_prices", fetch.retries, 0)))
    assert fetch.execution_timeout < tries * fetch.execution_timeout + pauses < dag.dagrun_timeout
    done = play(
        "limit_of_a_try",
        """
        @task(execution_timeout=timedelta(seconds=0.2), retries=0)
        def hang():
            import time
            time.sleep(30)
        @task(trigger_rule="all_done")
        def go_on(): ...
        hang() >> go_on()
        """,
    )
    assert done.states == {"hang": "failed", "go_on": "success"}
