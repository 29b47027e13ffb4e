"""Rules on the arguments of DAGs and on limits."""

from __future__ import annotations

import pytest
from tests.dag_lint.helpers import SDK, check, lint

from dag_lint.config import Config


@pytest.mark.covers("L-01")
def test_schedule_argument_and_not_schedule_interval() -> None:
    check(
        "L-01",
        """\
        from airflow import DAG
        with DAG("a", schedule_interval="@daily"):  # !
            pass
        b = DAG("b", timetable=object(), catchup=False)  # !
        c = DAG("c", schedule="@daily")
        """,
        """\
        from airflow.models import DAG as Flow
        import airflow
        d = Flow(
            dag_id="d",
            schedule_interval=None,  # !
        )
        e = airflow.DAG("e", schedule_interval="0 0 * * *")  # !
        """,
        """\
        from airflow.decorators import dag
        @dag(schedule_interval="@hourly")  # !
        def f(): ...
        f()
        @dag(schedule="@hourly")
        def g(): ...
        g()
        """,
        """\
        from airflow import DAG
        args = {"schedule_interval": "@daily"}  # !
        with DAG("h", **args):
            pass
        """,
        """\
        from mylib import Job, run
        Job(schedule_interval="@daily")
        run(timetable="x")
        crawler = {"schedule_interval": "@daily"}
        """,
    )


@pytest.mark.covers("L-08")
def test_catchup_is_stated() -> None:
    check(
        "L-08",
        """\
        from airflow.sdk import DAG
        with DAG("a", schedule="@daily"):  # !
            pass
        with DAG("b", schedule="@daily", catchup=False):
            pass
        with DAG("c", schedule=None):
            pass
        with DAG("d", schedule="@daily", catchup=True):  # !
            pass
        with DAG("e", schedule="@daily", catchup=True, tags=["backfill-safe"]):
            pass
        with DAG("f", schedule="@once"):
            pass
        """,
        """\
        from datetime import timedelta
        from airflow import DAG
        old = DAG("old")  # !
        delta = DAG("delta", schedule_interval=timedelta(hours=1))  # !
        """,
        """\
        from airflow.sdk import DAG, Asset
        from settings import COMMON, SCHEDULE
        a = DAG("a", schedule="@daily", **COMMON)
        b = DAG("b", schedule=[Asset("s3://x")])
        c = DAG("c", schedule=SCHEDULE)
        d = DAG("d", schedule="@daily", catchup=SCHEDULE.catchup)
        e = DAG("e", schedule=Asset("x") | Asset("y"))
        """,
    )


@pytest.mark.covers("L-09")
def test_start_date_is_fixed_and_has_a_timezone() -> None:
    check(
        "L-09",
        """\
        import datetime as dt
        from datetime import datetime, timedelta, timezone
        import pendulum
        from airflow.sdk import DAG
        from airflow.utils.dates import days_ago
        a = DAG("a", start_date=datetime.now())  # !
        b = DAG("b", start_date=days_ago(2))  # !
        c = DAG("c", start_date=datetime.today() - timedelta(days=1))  # !
        d = DAG("d", start_date=pendulum.now("UTC").subtract(days=1))  # !
        e = DAG("e", start_date=datetime(2024, 1, 1))  # !
        f = DAG("f", start_date=dt.datetime(2024, 1, 1))  # !
        g = DAG("g", start_date=datetime(2024, 1, 1, tzinfo=timezone.utc))
        h = DAG("h", start_date=pendulum.datetime(2024, 1, 1, tz="UTC"))
        i = DAG("i", start_date=pendulum.datetime(2024, 1, 1))
        j = DAG("j", start_date=pendulum.parse("2024-01-01"))
        k = DAG("k", start_date=None)
        """,
        """\
        from datetime import datetime
        from airflow import DAG
        from settings import START
        default_args = {
            "owner": "me",
            "start_date": datetime.utcnow(),  # !
        }
        a = DAG("a", default_args=default_args)
        b = DAG("b", default_args={"start_date": START})
        c = DAG("c", start_date=START.replace(day=1))
        stamp = datetime.now()
        """,
    )


@pytest.mark.covers("L-21")
def test_max_active_runs_is_set() -> None:
    check(
        "L-21",
        """\
        from airflow.sdk import DAG, dag
        from settings import COMMON
        a = DAG("a")  # !
        b = DAG("b", max_active_runs=1)
        c = DAG("c", **COMMON)
        @dag(schedule=None)  # !
        def d(): ...
        d()
        @dag(max_active_runs=3)
        def e(): ...
        e()
        """,
        """\
        from company.airflow import DAG
        a = DAG("a")
        """,
    )


@pytest.mark.covers("L-06")
def test_run_time_is_bounded() -> None:
    check(
        "L-06",
        """\
        from datetime import timedelta
        from airflow.sdk import DAG, task
        from airflow.providers.standard.operators.bash import BashOperator
        from airflow.providers.standard.operators.empty import EmptyOperator
        from airflow.providers.standard.sensors.filesystem import FileSensor
        with DAG("a", dagrun_timeout=timedelta(hours=1)):
            BashOperator(task_id="x", bash_command="x")  # !
            BashOperator(task_id="y", bash_command="y", execution_timeout=timedelta(minutes=5))
            EmptyOperator(task_id="z")
            FileSensor(task_id="w", filepath="f", mode="reschedule")  # !
            FileSensor(task_id="v", filepath="f", timeout=60)
            FileSensor(task_id="u", filepath="f", timeout=float("inf"))  # !
        with DAG("b"):  # !
            EmptyOperator(task_id="z")
        """,
        """\
        from datetime import timedelta
        from airflow.sdk import DAG, task, TaskGroup
        base = {"owner": "x", "execution_timeout": timedelta(minutes=10)}
        with DAG("a", dagrun_timeout=timedelta(hours=1), default_args={**base, "retries": 2}):
            @task
            def one(): ...
            one()
            @task(execution_timeout=None)
            def two(): ...  # !
            two()
        with DAG("b", dagrun_timeout=timedelta(hours=1)):
            with TaskGroup("g", default_args=base):
                @task
                def three(): ...
                three()
        """,
        """\
        from airflow import DAG
        from airflow.operators.bash import BashOperator
        from settings import ARGS, LIMIT
        with DAG("a", default_args=ARGS, dagrun_timeout=LIMIT):
            BashOperator(task_id="x", bash_command="x")
        with DAG("b", default_args={**ARGS}, dagrun_timeout=LIMIT):
            BashOperator(task_id="x", bash_command="x")
        with DAG("c", dagrun_timeout=LIMIT):
            BashOperator(task_id="x", bash_command="x", **ARGS)
        """,
    )


@pytest.mark.covers("L-06")
def test_a_dag_whose_tasks_all_lack_a_limit_is_one_finding() -> None:
    text = SDK + (
        "from airflow.providers.standard.operators.bash import BashOperator\n"
        'with DAG("a"):\n'
        + "".join(f'    BashOperator(task_id="t{i}", bash_command="x")\n' for i in range(6))
    )
    (finding,) = lint(text, "L-06")
    assert finding.line == 3
    assert "t0, t1, t2, t3 and 2 more" in finding.message


@pytest.mark.covers("L-07")
def test_external_calls_retry_with_backoff() -> None:
    good = "retries=3, retry_delay=d, retry_exponential_backoff=2.0, max_retry_delay=d"
    check(
        "L-07",
        f"""\
        from airflow.sdk import DAG, task
        from airflow.providers.http.operators.http import HttpOperator
        from airflow.providers.standard.operators.bash import BashOperator
        from datetime import timedelta
        d = timedelta(minutes=1)
        with DAG("a"):
            HttpOperator(task_id="x", endpoint="x", retries=0)  # !
            HttpOperator(task_id="y", endpoint="x", {good})
            BashOperator(task_id="z", bash_command="x")
        with DAG("b"):
            HttpOperator(task_id="y", endpoint="x", {good.replace("2.0", "1.5")})  # !
        with DAG("c"):
            HttpOperator(task_id="y", endpoint="x", retries=2, retry_delay=d)  # !
        """,
        f"""\
        import requests
        from datetime import timedelta
        from airflow.sdk import DAG, task
        from airflow.providers.postgres.hooks.postgres import PostgresHook
        d = timedelta(minutes=1)
        with DAG("a"):
            @task
            def fetch():  # !
                return requests.get("https://x.example", timeout=3).status_code
            fetch()
            @task({good})
            def load():
                PostgresHook("x").run("select 1")
            load()
            @task
            def compute():
                return 1
            compute()
        """,
        """\
        from airflow import DAG
        from airflow.providers.amazon.aws.operators.batch import BatchOperator
        from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor
        from settings import ARGS, policy
        with DAG("a", default_args=ARGS):
            BatchOperator(task_id="x")
        with DAG("b"):
            S3KeySensor(task_id="y")
        with DAG("c", default_args={"retries": 2}):
            BatchOperator(task_id="z", retry_policy=policy)
        """,
    )


@pytest.mark.covers("L-07")
@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ({"retries": "0"}, "retries >= 1"),
        ({"retries": None}, "retries >= 1"),
        ({"retry_delay": None}, "retry_delay"),
        ({"retry_exponential_backoff": "1.5"}, "retry_exponential_backoff >= 2"),
        ({"retry_exponential_backoff": "False"}, "retry_exponential_backoff >= 2"),
        ({"max_retry_delay": None}, "max_retry_delay"),
        ({"retries": "1", "retry_exponential_backoff": "True"}, ""),
    ],
)
def test_each_part_of_a_retry_is_asked_for(change: dict[str, str | None], missing: str) -> None:
    given = {"retries": "3", "retry_delay": "d", "retry_exponential_backoff": "2.0", "max_retry_delay": "d"}
    arguments = ", ".join(f"{key}={value}" for key, value in {**given, **change}.items() if value)
    findings = lint(
        "from airflow.providers.http.operators.http import HttpOperator\nfrom airflow.sdk import DAG\n"
        f'with DAG("a"):\n    HttpOperator(task_id="x", endpoint="x", {arguments})\n',
        "L-07",
    )
    assert [finding.message.partition("; it lacks ")[2] for finding in findings] == (
        [missing] if missing else []
    )


@pytest.mark.covers("L-29")
def test_slow_sensors_give_their_slot_back() -> None:
    check(
        "L-29",
        """\
        from datetime import timedelta
        from airflow.sdk import DAG, task
        from airflow.providers.standard.sensors.filesystem import FileSensor
        from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor
        from mylib import OwnSensor
        with DAG("a"):
            FileSensor(task_id="a", filepath="x", poke_interval=300)  # !
            FileSensor(task_id="b", filepath="x", poke_interval=300, mode="poke")  # !
            FileSensor(task_id="c", filepath="x", poke_interval=300, mode="reschedule")
            FileSensor(task_id="d", filepath="x", poke_interval=30)
            FileSensor(task_id="e", filepath="x")  # !
            FileSensor(task_id="f", filepath="x", poke_interval=timedelta(minutes=5))  # !
            S3KeySensor(task_id="g", bucket_key="x", deferrable=True)
            OwnSensor(task_id="h")
            OwnSensor(task_id="i", poke_interval=60)  # !
            @task.sensor(poke_interval=120)
            def ready():  # !
                return True
            ready()
            @task.sensor(poke_interval=120, mode="reschedule")
            def soon():
                return True
            soon()
        """,
        """\
        from airflow import DAG
        from airflow.sensors.filesystem import FileSensor
        from settings import ARGS, INTERVAL, MODE
        with DAG("a", default_args={"mode": "reschedule"}):
            FileSensor(task_id="a", filepath="x", poke_interval=300)
        with DAG("b", default_args=ARGS):
            FileSensor(task_id="a", filepath="x", poke_interval=300)
        with DAG("c"):
            FileSensor(task_id="a", filepath="x", poke_interval=INTERVAL)
            FileSensor(task_id="b", filepath="x", poke_interval=300, mode=MODE)
        """,
    )


@pytest.mark.covers("L-29")
def test_the_limit_of_poke_interval_can_be_set() -> None:
    sample = """\
        from airflow.sdk import DAG
        from airflow.providers.standard.sensors.filesystem import FileSensor
        with DAG("a"):
            FileSensor(task_id="a", filepath="x", poke_interval=90)
        """
    assert lint(sample, "L-29")
    assert not lint(sample, "L-29", config=Config(min_poke_interval=120))


@pytest.mark.covers("L-31")
def test_external_task_sensor_has_timeout_and_failed_states() -> None:
    check(
        "L-31",
        """\
        from airflow.sdk import DAG
        from airflow.providers.standard.sensors.external_task import ExternalTaskSensor
        from settings import ARGS
        with DAG("a"):
            ExternalTaskSensor(task_id="a", external_dag_id="b")  # !
            ExternalTaskSensor(task_id="b", external_dag_id="b", timeout=60)  # !
            ExternalTaskSensor(task_id="c", external_dag_id="b", failed_states=["failed"])  # !
            ExternalTaskSensor(task_id="d", external_dag_id="b", failed_states=["failed"], timeout=60)
            ExternalTaskSensor(task_id="e", external_dag_id="b", **ARGS)
        with DAG("b", default_args={"timeout": 60}):
            ExternalTaskSensor(task_id="d", external_dag_id="b", failed_states=["failed"])
        """,
        """\
        from airflow import DAG
        from airflow.sensors.external_task_sensor import ExternalTaskSensor
        with DAG("a") as dag:
            pass
        ExternalTaskSensor(task_id="a", external_dag_id="b", dag=dag)  # !
        """,
    )
