"""Rules on what Airflow 3 has removed."""

from __future__ import annotations

import pytest
from tests.dag_lint.helpers import SDK, check, lint

from dag_lint.findings import Severity


@pytest.mark.covers("L-02")
def test_removed_and_deprecated_imports() -> None:
    check(
        "L-02",
        """\
        from airflow import DAG  # !
        from airflow.operators.bash import BashOperator  # !
        from airflow.operators.dummy_operator import DummyOperator  # !
        from airflow.utils.dates import days_ago  # !
        from airflow.contrib.hooks.ssh_hook import SSHHook  # !
        from airflow.hooks.postgres_hook import PostgresHook  # !
        from airflow.decorators import task  # !
        from airflow.datasets import Dataset  # !
        from airflow.operators.subdag import SubDagOperator  # !
        import airflow.contrib.hooks  # !
        from airflow.providers.http.operators.http import SimpleHttpOperator  # !
        DAG("x", default_view="graph")  # !
        DAG("y", concurrency=3)  # !
        """,
        """\
        from airflow.sdk import DAG, Asset, BaseHook, Variable, task
        from airflow.sdk.exceptions import AirflowSkipException
        from airflow.providers.standard.operators.bash import BashOperator
        from airflow.providers.standard.sensors.filesystem import FileSensor
        from airflow.providers.http.operators.http import HttpOperator
        from airflow.triggers.base import BaseTrigger, TriggerEvent
        from airflow.dag_processing.dagbag import DagBag
        from operators.bash import BashOperator as Own
        with DAG("x", schedule=None) as d:
            BashOperator(task_id="a", bash_command="x")
            orientation = "LR"
        """,
        """\
        try:
            from airflow.sdk import DAG
        except ImportError:
            from airflow import DAG
        try:
            from airflow.operators.empty import EmptyOperator
        except ImportError:
            from airflow.operators.dummy import DummyOperator as EmptyOperator
        if AIRFLOW_V_3_0_PLUS:
            from airflow.sdk import task
        else:
            from airflow.decorators import task
        with DAG("x"):
            EmptyOperator(task_id="a")
        """,
    )


@pytest.mark.covers("L-02")
def test_what_still_works_is_a_warning_and_each_name_is_found_once() -> None:
    findings = lint(
        """\
        from airflow.operators.bash import BashOperator
        from airflow.utils.dates import days_ago
        BashOperator(task_id="a")
        BashOperator(task_id="b")
        days_ago(1)
        """,
        "L-02",
    )
    assert [(f.line, f.severity) for f in findings] == [(1, Severity.WARNING), (2, Severity.ERROR)]
    assert "airflow.providers.standard.operators.bash" in findings[0].message


@pytest.mark.covers("L-02")
def test_ruff_adds_what_the_own_table_does_not_know() -> None:
    findings = lint(
        """\
        from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
        from airflow.hooks.S3_hook import S3Hook
        from airflow.sensors.sql import SqlSensor
        SqlSensor(task_id="x")
        """,
        "L-02",
    )
    assert [finding.line for finding in findings] == [2, 3]
    assert "AIR302" in findings[1].message or "common.sql" in findings[1].message


@pytest.mark.covers("L-26")
def test_arguments_without_a_future() -> None:
    check(
        "L-26",
        SDK
        + """\
from datetime import timedelta
from airflow.utils.decorators import apply_defaults  # !
from airflow.operators.python import PythonOperator
from mylib import send
default_args = {
    "owner": "x",
    "email": ["x@example.com"],
    "email_on_failure": False,  # !
    "email_on_retry": False,  # !
    "sla": timedelta(hours=1),  # !
}
with DAG(
    "a",
    default_args=default_args,
    sla_miss_callback=send,  # !
):
    PythonOperator(
        task_id="a",
        python_callable=send,
        provide_context=True,  # !
    )
send(email_on_failure=True, sla=3)
other = {"sla": 1}
""",
    )


@pytest.mark.covers("L-27")
def test_names_of_the_old_context() -> None:
    check(
        "L-27",
        SDK
        + """\
from airflow.operators.bash import BashOperator
from airflow.operators.python import PythonOperator, get_current_context
def callback(context):
    context["execution_date"]  # !
    context.get("next_ds")  # !
    context["logical_date"]
def old(execution_date, **kwargs):  # !
    kwargs["prev_ds"]  # !
    kwargs["dag_run"].conf
def given(execution_date, conf=None):
    return execution_date
def plain(execution_date):
    return execution_date
with DAG("a", on_failure_callback=callback):
    BashOperator(task_id="a", bash_command="x {{ execution_date }}")  # !
    BashOperator(task_id="b", bash_command="x {{ next_ds_nodash }} {{ ds }}")  # !
    BashOperator(task_id="c", bash_command="x {{ dag_run.conf['execution_date'] }} {{ params.next_ds }}")
    BashOperator(task_id="d", bash_command="x {{ conf.get('core', 'x') }}")  # !
    BashOperator(task_id="e", bash_command="the execution_date is not in a template")
    BashOperator(task_id="f", bash_command="{% if tomorrow_ds %}x{% endif %}")  # !
    PythonOperator(task_id="g", python_callable=old)
    PythonOperator(task_id="h", python_callable=given, op_kwargs={"execution_date": "{{ ds }}"})
    @task
    def new(logical_date=None):
        get_current_context()["execution_date"]  # !
        get_current_context()["logical_date"]
    new()
    @task
    def explicit(execution_date): ...
    explicit("2024-01-01")
    explicit.override(task_id="again")(execution_date="2024-01-01")
    @task
    def implicit(execution_date=None, ti=None):  # !
        ti.execution_date  # !
    implicit()
rows = {"execution_date": 1}
rows["execution_date"]
frame = load()
frame["next_ds"]
""",
        """\
        from airflow.sensors.external_task import ExternalTaskSensor
        from airflow import DAG
        def delta(dt): ...
        with DAG("a"):
            ExternalTaskSensor(task_id="a", external_dag_id="x", execution_date_fn=delta)
        """,
        'template = "{{ execution_date }}"\n',
    )


@pytest.mark.covers("X-18")
@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ('DAG("a", default_args={"sla": 3600})', "L-26"),
        ('DAG("a", sla_miss_callback=tell)', "L-26"),
        ("from airflow.datasets import Dataset", "L-02"),
        ("from airflow.operators.subdag import SubDagOperator", "L-02"),
        ("from airflow.operators.dummy import DummyOperator", "L-02"),
        ("from airflow.providers.http.operators.http import SimpleHttpOperator", "L-02"),
        ('PythonOperator(task_id="a", python_callable=work, provide_context=True)', "L-26"),
        ('DAG("a", schedule_interval="@daily")', "L-01"),
        ('BashOperator(task_id="a", bash_command="echo {{ execution_date }}")', "L-27"),
        ('ExternalTaskSensor(task_id="a", external_dag_id="b", execution_date_fn=day)', None),
    ],
)
def test_what_airflow_3_took_away_is_found_and_the_one_old_name_that_stayed_is_not(
    line: str, rule: str | None
) -> None:
    """`execution_date_fn` of the ExternalTaskSensor has kept its name."""
    head = (
        "from airflow.sdk import DAG\n"
        "from airflow.providers.standard.operators.bash import BashOperator\n"
        "from airflow.providers.standard.operators.python import PythonOperator\n"
        "from airflow.providers.standard.sensors.external_task import ExternalTaskSensor\n"
        "from mylib import day, tell, work\n"
    )
    inside = line if line.startswith(("from", "DAG")) else f'with DAG("a"):\n    {line}'
    used = f"\n{line.rpartition(' ')[2]}\n" if line.startswith("from") else "\n"
    found = [
        (finding.rule, finding.severity)
        for wanted in ("L-01", "L-02", "L-26", "L-27")
        for finding in lint(head + inside + used, wanted)
    ]
    assert {name for name, _ in found} == ({rule} if rule else set())
