"""--fix changes what is certain, keeps the rest of the text, and is done after one run."""

from __future__ import annotations

import pytest
from tests.dag_lint.helpers import check_fix, fixed

OLD_STYLE = '''\
"""A DAG of Airflow 2."""

from datetime import timedelta

from airflow import DAG  # the class
from airflow.operators.bash import BashOperator
from airflow.operators.dummy_operator import DummyOperator
from airflow.operators.python import PythonOperator, get_current_context
from airflow.models import Variable, TaskInstance
from airflow.sensors.filesystem import FileSensor
from airflow.utils.trigger_rule import TriggerRule

with DAG(
    "sales",
    schedule_interval="@daily",  # every night
    concurrency=4,
    default_args={"owner": "x", "provide_context": True},
) as dag:
    wait = FileSensor(task_id="wait", filepath="in.csv", poke_interval=300)
    run = BashOperator(task_id="a", bash_command='{{ execution_date }} "next_ds" {{ tomorrow_ds }}')
    call = PythonOperator(task_id="call", python_callable=print, provide_context=True)
    join = DummyOperator(task_id="join", trigger_rule="none_failed_or_skipped")
    end = DummyOperator(task_id="end", trigger_rule=TriggerRule.NONE_FAILED_OR_SKIPPED)
    wait >> run >> call >> join >> end
'''

NEW_STYLE = '''\
"""A DAG of Airflow 2."""

from datetime import timedelta

from airflow.sdk import DAG  # the class
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator as DummyOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import get_current_context
from airflow.models import TaskInstance
from airflow.sdk import Variable
from airflow.providers.standard.sensors.filesystem import FileSensor
from airflow.sdk import TriggerRule

with DAG(
    "sales",
    schedule="@daily",  # every night
    max_active_tasks=4,
    default_args={"owner": "x"},
    catchup=False,
) as dag:
    wait = FileSensor(task_id="wait", filepath="in.csv", poke_interval=300, mode="reschedule")
    run = BashOperator(task_id="a", bash_command='{{ logical_date }} "next_ds" {{ macros.ds_add(ds, 1) }}')
    call = PythonOperator(task_id="call", python_callable=print)
    join = DummyOperator(task_id="join", trigger_rule="none_failed_min_one_success")
    end = DummyOperator(task_id="end", trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS)
    wait >> run >> call >> join >> end
'''


@pytest.mark.covers("L-01", "L-02", "L-08", "L-26", "L-27", "L-29", "L-39")
def test_a_dag_of_airflow_2_is_moved_to_3() -> None:
    check_fix(OLD_STYLE, NEW_STYLE)


@pytest.mark.covers("L-24")
def test_a_notifier_is_called() -> None:
    check_fix(
        """\
        from airflow.providers.smtp.notifications.smtp import SmtpNotifier
        def failed(context):
            SmtpNotifier(to="x")  # tell them
        def unknown(ctx):
            SmtpNotifier(to="x")
        """,
        """\
        from airflow.providers.smtp.notifications.smtp import SmtpNotifier
        def failed(context):
            SmtpNotifier(to="x").notify(context)  # tell them
        def unknown(ctx):
            SmtpNotifier(to="x")
        """,
        {"L-24"},
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('DAG("a", schedule="@daily")\n', 'DAG("a", schedule="@daily", catchup=False)\n'),
        ('DAG("a", schedule="@daily",)\n', 'DAG("a", schedule="@daily", catchup=False,)\n'),
        ('DAG("a", schedule="@daily"  # c\n)\n', None),
        (
            'DAG(\n    dag_id="a",\n    schedule="@daily"\n)\n',
            'DAG(\n    dag_id="a",\n    schedule="@daily",\n    catchup=False\n)\n',
        ),
        ('DAG(\n    schedule="@daily",\n)\n', 'DAG(\n    schedule="@daily",\n    catchup=False,\n)\n'),
    ],
)
def test_an_argument_is_added_in_the_layout_of_the_call(before: str, after: str | None) -> None:
    head = "from airflow.sdk import DAG\n"
    result = fixed(head + before, {"L-08"})
    compile(result, "fixed", "exec")
    assert "catchup=False" in result
    if after is not None:
        assert result == head + after


def test_what_is_not_certain_stays() -> None:
    text = """\
from airflow import DAG
from airflow.utils.dates import days_ago
from airflow.models import DagBag, *
"""
    assert fixed(text) == text
    both = (
        'from airflow.sdk import DAG\nDAG("a", schedule_interval="@daily", timetable=None)\n'
        'DAG("b", schedule=None, schedule_interval=1)\n'
    )
    assert fixed(both, {"L-01"}) == both
    wrapped = 'from airflow.sdk import DAG\nargs = {"schedule_interval": "@daily"}\nDAG("a", **args)\n'
    assert fixed(wrapped, {"L-01"}) == wrapped


def test_compatibility_code_stays() -> None:
    text = """\
try:
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG
"""
    assert fixed(text) == text


def test_other_text_is_kept_to_the_letter() -> None:
    text = (
        "# -*- coding: utf-8 -*-\n# Größe\nfrom airflow.sdk import (\n    DAG,   # x\n)\n\n\n"
        "DAG( 'a' ,schedule_interval = '@daily', tags = [ 'ä' ] ,catchup=False )\n"
    )
    result = fixed(text, {"L-01"})
    assert result == text.replace("schedule_interval = ", "schedule = ")


def test_columns_after_wide_characters_are_found() -> None:
    text = "from airflow.sdk import DAG\nx = 'äöü'; DAG('a', schedule_interval=None)\n"
    assert fixed(text, {"L-01"}) == text.replace("schedule_interval", "schedule")
