"""How often, how late and how long tasks are tried."""

from __future__ import annotations

import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.definitions.retry_policy import RetryAction
from airflow.sdk.exceptions import AirflowTaskTimeout
from tests.dags.library import bag
from tests.dags.runner import run

from airflow_usecases.remote_errors import PermanentError, RateLimited, TransientError

DAG_ID = "phase7_01_retry_strategies"
MARCH_2 = datetime.datetime(2026, 3, 2, tzinfo=datetime.UTC)
FAILED_AT = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)
ALL_TASKS = {"fetch_stock_levels", "fetch_price_list", "order_samples", "render_catalogue"}


def retry_delay(task_id: str, try_number: int, by_policy: float | None = None) -> float:
    """Seconds from a failure to the next try, as the scheduler calculates it on the stored DAG."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.serialization.serialized_objects import DagSerialization

    stored = DagSerialization.from_dict(DagSerialization.to_dict(bag().dags[DAG_ID]))
    failed: Any = SimpleNamespace(
        task=stored.get_task(task_id),
        dag_id=DAG_ID,
        task_id=task_id,
        logical_date=MARCH_2,
        try_number=try_number,
        end_date=FAILED_AT,
        retry_delay_override=by_policy,
    )
    return (TaskInstance.next_retry_datetime(failed) - FAILED_AT).total_seconds()


@pytest.mark.covers("P07.1")
def test_a_fixed_delay_is_the_same_after_every_try():
    assert [retry_delay("fetch_stock_levels", n) for n in (1, 2, 3, 4)] == [120.0] * 4


@pytest.mark.covers("P07.1")
def test_backoff_doubles_is_spread_and_stops_at_the_maximum():
    delays = [retry_delay("fetch_price_list", n) for n in (1, 2, 3, 4)]
    assert delays == [112.0, 183.0, 300.0, 300.0]
    assert 60 <= delays[0] < 120
    assert 120 <= delays[1] < 240


@pytest.mark.covers("P07.1")
def test_the_multiplier_reaches_the_scheduler_as_a_number():
    task = bag().dags[DAG_ID].get_task("fetch_price_list")
    assert (task.retries, task.retry_exponential_backoff) == (4, 2.0)
    assert task.max_retry_delay == datetime.timedelta(minutes=5)


@pytest.mark.covers("P07.1")
def test_a_flaky_task_succeeds_at_the_third_try():
    done = run(DAG_ID)
    assert done.of("success") == ALL_TASKS
    assert {name: done.tries(name) for name in ALL_TASKS} == {
        "fetch_stock_levels": 1,
        "fetch_price_list": 3,
        "order_samples": 1,
        "render_catalogue": 1,
    }
    assert done.xcom("order_samples") == ["A-200"]
    assert done.xcom("render_catalogue") == 3


@pytest.mark.covers("P07.1")
def test_a_task_that_fails_more_often_than_it_may_ends_failed():
    done = run(DAG_ID, conf={"price_list_failures": 5})
    assert done.state == "failed"
    assert done.tries("fetch_price_list") == 5
    assert done.of("failed") == {"fetch_price_list"}
    assert done.of("upstream_failed") == {"render_catalogue"}


@pytest.mark.covers("P07.1")
def test_a_task_that_hangs_is_ended_by_its_timeout_at_every_try():
    seen = []

    def remember(context):
        seen.append((context["ti"].try_number, context["exception"]))

    def shorten(dag):
        task = dag.get_task("render_catalogue")
        task.execution_timeout = datetime.timedelta(seconds=0.3)
        task.on_retry_callback = task.on_failure_callback = [remember]

    done = run(DAG_ID, conf={"render_seconds": 30, "price_list_failures": 0}, change=shorten)
    assert done.state == "failed"
    assert done.of("failed") == {"render_catalogue"}
    assert [number for number, _ in seen] == [1, 2]
    assert [type(error) for _, error in seen] == [AirflowTaskTimeout, AirflowTaskTimeout]


@pytest.mark.covers("P07.1")
@pytest.mark.parametrize(
    ("status", "tries", "state"),
    [(200, 1, "success"), (401, 1, "failed"), (429, 2, "success"), (503, 2, "success")],
)
def test_the_policy_fails_refused_requests_at_once_and_retries_the_rest(status, tries, state):
    def shorten(dag):
        for rule in dag.get_task("order_samples").retry_policy.rules:
            rule.retry_delay = datetime.timedelta(0)

    done = run(DAG_ID, conf={"order_status": status, "price_list_failures": 0}, change=shorten)
    assert (done.tries("order_samples"), done.states["order_samples"]) == (tries, state)


@pytest.mark.covers("P07.1")
def test_the_policy_sets_the_delay_of_a_rate_limit_and_of_nothing_else():
    policy = bag().dags[DAG_ID].get_task("order_samples").retry_policy
    limited = policy.evaluate(RateLimited("429", 429), 1, 3)
    assert limited.action is RetryAction.RETRY
    assert retry_delay("order_samples", 1, limited.retry_delay.total_seconds()) == 900.0
    assert policy.evaluate(PermanentError("401", 401), 1, 3).action is RetryAction.FAIL
    overloaded = policy.evaluate(TransientError("503", 503), 1, 3)
    assert (overloaded.action, overloaded.retry_delay) == (RetryAction.DEFAULT, None)
