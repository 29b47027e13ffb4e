"""What code of other people's repositories has taught: look-alikes, and places that were overlooked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.dag_lint.helpers import SDK, check, default_rules, fixed, lint, options

from dag_lint import cli, engine, reporters


@pytest.mark.covers("L-17")
def test_a_sentence_about_an_insert_is_no_insert() -> None:
    check(
        "L-17",
        SDK
        + """\
        DAG("a", description="A simple dag example using postgresql to insert into a table")
        DAG("b", description="Rows that we insert into the table from the API")
        QUERY = "INSERT INTO sales SELECT * FROM new"  # !
        WITH = "WITH x AS (SELECT 1) INSERT INTO sales SELECT * FROM x"  # !
        MANY = "SET x = 1; INSERT INTO sales (id) VALUES (1)"  # !
        """.replace("        ", ""),
    )


@pytest.mark.covers("L-06")
def test_a_dag_without_any_limit_is_one_finding() -> None:
    text = SDK + (
        'with DAG("a", schedule=None):\n'
        "    @task\n    def one(): ...\n"
        "    @task\n    def two(): ...\n"
        "    one() >> two()\n"
    )
    (finding,) = lint(text, "L-06")
    assert finding.line == 2
    assert "dagrun_timeout" in finding.message
    assert "one, two" in finding.message


@pytest.mark.covers("L-06")
def test_a_dag_of_imported_tasks_needs_dagrun_timeout() -> None:
    check(
        "L-06",
        """\
        from airflow.sdk import DAG, dag
        from tasks import extract, build_tasks
        @dag(schedule=None)  # !
        def etl():
            extract()
        etl()
        with DAG("b", schedule=None):  # !
            build_tasks(__file__)
        with DAG("c", schedule=None):
            pass
        """,
    )


@pytest.mark.covers("L-08")
@pytest.mark.covers("L-21")
@pytest.mark.parametrize("rule", ["L-06", "L-08", "L-21"])
def test_a_function_that_makes_many_dags_is_one_finding(rule: str) -> None:
    text = """\
    from airflow import DAG
    from airflow.operators.bash import BashOperator
    def create(dag_id):
        dag = DAG(dag_id, schedule="@daily")
        BashOperator(task_id="say", bash_command="echo", dag=dag)
        return dag
    for country in ["es", "it", "fr"]:
        globals()[country] = create(f"of_{country}")
    """
    (finding,) = lint(text, rule)
    assert finding.line == 4


@pytest.mark.covers("L-07")
def test_a_request_in_a_helper_of_the_file_is_an_external_call() -> None:
    check(
        "L-07",
        SDK
        + """\
import requests
def inner(day):
    return requests.get("https://x.example", timeout=3)
def fetch(day):
    return again(day) or inner(day)
def again(day):
    return fetch(day)
def format_day(day):
    return str(day)
with DAG("a", schedule=None):
    @task
    def load():  # !
        return fetch(1)
    @task
    def show():
        return format_day(1)
    load() >> show()
""",
    )


@pytest.mark.covers("L-15")
def test_variables_of_an_imported_module_are_read_at_parse_time() -> None:
    text = """\
    import pandas
    from airflow.models import Variable
    class Settings:
        tag: str = Variable.get("tag")  # !
    CONFIG = {"project": Variable.get("project")}  # !
    def later():
        return Variable.get("in a function")
    """
    check("L-15", text)
    assert not lint(text, "L-15", path="tests/test_settings.py")


@pytest.mark.covers("L-15")
def test_a_spark_session_at_top_level() -> None:
    check(
        "L-15",
        SDK
        + """\
from jobs import SparkSession
spark = SparkSession.builder.appName("x").getOrCreate()  # !
other = SparkSession.builder.getOrCreate()  # !
with DAG("a"):
    @task
    def f():
        return SparkSession.builder.getOrCreate()
    f()
""",
    )


@pytest.mark.covers("L-26")
def test_the_remedy_of_mail_arguments() -> None:
    def remedies(values: str) -> list[str]:
        text = f"{SDK}DAG('a', default_args={{{values}}})\n"
        return [finding.message.partition("; ")[2] for finding in lint(text, "L-26")]

    assert remedies("'email_on_failure': False") == ["delete it, and `email` with it"]
    assert remedies("'email_on_failure': True, 'email_on_retry': False") == [
        "use SmtpNotifier in on_failure_callback",
        "delete it: retries are logged",
    ]


@pytest.mark.covers("L-02")
@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("from airflow.operators import python_operator", "airflow.providers.standard.operators.python"),
        ("from airflow.sensors.http_sensor import HttpSensor", "airflow.providers.http.sensors.http"),
        ("from airflow.hooks.postgres_hook import PostgresHook", "airflow.providers.postgres.hooks.postgres"),
        (
            "from airflow.providers.postgres.operators.postgres import PostgresOperator",
            "SQLExecuteQueryOperator of airflow.providers.common.sql.operators.sql",
        ),
        (
            "from airflow.providers.snowflake.operators.snowflake import SnowflakeOperator",
            "SQLExecuteQueryOperator of airflow.providers.common.sql.operators.sql",
        ),
        (
            "from airflow.contrib.operators.bigquery_operator import BigQueryOperator",
            "BigQueryInsertJobOperator of airflow.providers.google.cloud.operators.bigquery",
        ),
    ],
)
def test_a_removed_import_says_where_to_go(line: str, says: str) -> None:
    (finding,) = lint(f"{line}\n", "L-02")
    assert says in finding.message


@pytest.mark.covers("L-02")
def test_moved_operators_keep_their_local_name() -> None:
    text = (
        "from airflow.providers.cncf.kubernetes.operators.kubernetes_pod import KubernetesPodOperator\n"
        "from airflow.providers.http.operators.http import SimpleHttpOperator\n"
    )
    assert fixed(text, {"L-02"}) == (
        "from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator\n"
        "from airflow.providers.http.operators.http import HttpOperator as SimpleHttpOperator\n"
    )


def test_a_file_that_ruff_cannot_bear_does_not_hide_the_others(tmp_path: Path) -> None:
    bad, good = tmp_path / "bad.py", tmp_path / "good.py"
    bad.write_text("x = " + "+".join(["1"] * 20_000) + "\ny = a" + ".b()" * 20_000 + "\n")
    good.write_text("from airflow.models import DagModel\nfrom airflow.utils.dates import days_ago\n")
    report = engine.lint([bad, good], options(default_rules()))
    assert not report.failures
    assert {(Path(finding.path).name, finding.rule) for finding in report.findings} == {
        ("bad.py", "L-36"),
        ("good.py", "L-02"),
    }


def test_text_that_is_not_utf8_is_an_import_error(tmp_path: Path) -> None:
    file = tmp_path / "latin.py"
    file.write_bytes(b'x = 1\nname = "\xe9t\xe9"\n')
    (finding,) = engine.lint([file], options({"L-36"})).findings
    assert (finding.line, finding.rule) == (2, "L-36")
    file.write_bytes(b'# -*- coding: latin-1 -*-\nname = "\xe9t\xe9"\n')
    assert not engine.lint([file], options({"L-36"})).findings


@pytest.mark.covers("L-04")
def test_a_key_of_a_spark_setting_is_a_key() -> None:
    check(
        "L-04",
        """\
        good = {"spark.hadoop.fs.s3a.secret.key": "{{ conn.s3.password }}", "spark.master.key": "yarn"}
        bad = {"spark.hadoop.fs.s3a.secret.key": "abcd1234EFGH5678ijkl"}  # !
        """,
    )


@pytest.mark.covers("L-28")
def test_a_session_by_the_old_module() -> None:
    check("L-28", SDK + "from airflow.utils.db import provide_session  # !\nDAG('a')\n")


@pytest.mark.covers("L-32")
def test_a_constant_read_from_the_environment_is_a_secret_and_a_name_of_one_is_not() -> None:
    check(
        "L-32",
        """\
        import logging, os
        API_KEY = os.environ["API_KEY"]
        OTHER_TOKEN = os.getenv("OTHER_TOKEN")
        PASSWORD = "name_of_the_secret"
        logging.info("key %s", API_KEY)  # !
        logging.info(f"{OTHER_TOKEN}")  # !
        logging.info("see %s", PASSWORD)
        """,
    )


def test_reports_bear_strange_names() -> None:
    text = "from airflow.sdk import DAG\nDAG('x\\x1b[31m\\ny')\n"
    report = engine.lint_text("a,b:c%d/\u00e9 x.py", text, options({"L-21"}))
    line, _, _ = reporters.render(report, "text").split("\n", 2)
    assert "\x1b" not in line
    assert line.endswith("(the default is 16)")
    run = json.loads(reporters.render(report, "sarif"))["runs"][0]
    place = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert place == "a%2Cb%3Ac%25d/%C3%A9%20x.py"


@pytest.mark.parametrize(
    ("head", "encoding"), [("", "utf-8-sig"), ("# -*- coding: latin-1 -*-\r\n", "latin-1"), ("", "utf-8")]
)
def test_a_repair_keeps_the_encoding(tmp_path: Path, head: str, encoding: str) -> None:
    file = tmp_path / "sales.py"
    text = head + "from airflow import DAG\r\nDAG('\u00e9t\u00e9', schedule_interval=None)\r\n"
    file.write_bytes(text.encode(encoding))
    cli.main(["--isolated", "--select", "L-01", "--fix", str(file)])
    assert file.read_bytes() == text.replace("schedule_interval", "schedule").encode(encoding)


def test_the_last_item_goes_with_its_line() -> None:
    text = """from airflow.providers.standard.operators.python import PythonOperator
args = {
    "owner": "shop",
    "provide_context": True,
}
PythonOperator(
    task_id="load_sales",
    python_callable=print,
    provide_context=True,
)
DAG("a", default_args=args)
"""
    text = SDK + text
    wanted = text.replace('    "provide_context": True,\n', "").replace("    provide_context=True,\n", "")
    assert fixed(text, {"L-26"}) == wanted
