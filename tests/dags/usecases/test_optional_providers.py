"""A missing provider costs its tasks, not the DAG."""

from __future__ import annotations

import datetime

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException

from airflow_usecases.optional_providers import missing_provider


def test_the_stand_in_takes_any_argument_and_names_the_package_when_it_runs():
    operator = missing_provider("apache-airflow-providers-http")
    with DAG("a", schedule=None, default_args={"retries": 4}):
        task = operator(
            task_id="fetch_data",
            http_conn_id="x",
            endpoint="y",
            execution_timeout=datetime.timedelta(minutes=1),
        )
    assert (task.retries, task.execution_timeout) == (4, datetime.timedelta(minutes=1))
    with pytest.raises(
        AirflowFailException, match="fetch_data needs the package apache-airflow-providers-http"
    ):
        task.execute({})
