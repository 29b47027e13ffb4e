"""Rules on code: credentials, HTTP, logs, XCom, SQL, parse time."""

from __future__ import annotations

import pytest
from tests.dag_lint.helpers import SDK, check, lint

from dag_lint.config import Config

SLACK = "https://hooks.slack.com/" + "services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX"
AWS_KEY = "AKIA" + "IOSFODNN7EXAMPLE"


@pytest.mark.covers("L-04")
def test_no_credentials_in_code() -> None:
    check(
        "L-04",
        f"""\
        import requests
        requests.post("{SLACK}", json={{}})  # !
        # curl {SLACK}
        key = "{AWS_KEY}"  # !
        """.replace(f"# curl {SLACK}", f"# curl {SLACK}  # !"),
        """\
        connect(host="db", password="s3cr3t-Pw")  # !
        PASSWORD = "hunter22"  # !
        config = {"db_password": "Tr0ub4dor"}  # !
        api_key = "0a1b2c3d4e5f60718293a4b5"  # !
        url = "postgresql://etl:pa55w0rd@db.example.com/dwh"  # !
        dsn = "host=db user=etl password=pa55w0rd"  # !
        command = "curl -u admin:admin123 https://x.example"  # !
        def f(password="pa55w0rd"): ...  # !
        secret = "abcdef1234567"  # !
        password2 = "abcdef1234567"  # !
        headers = {"Authorization": "Bearer abcdef1234567"}  # !
        headers["authorization"] = "Basic YWRtaW46aHVudGVyMjI="  # !
        requests.get(url, auth=("user", "abcdef1234567"))  # !
        options = {"auth": ("user", "abcdef1234567")}  # !
        pem = "-----BEGIN RSA PRIVATE KEY-----"  # !
        """,
        """\
        import os
        from airflow.sdk import BaseHook, Variable
        password = os.environ["DB_PASSWORD"]
        connect(password=Variable.get("db_password"))
        connect(password="{{ conn.db.password }}", token="{{ var.value.token }}")
        password_key = "db-password"
        token_url = "https://auth.example.com/oauth/token"
        secret_name = "prod/db/password"
        config = {"password": "password", "token": "string", "api_key": "<your key>"}
        uri = f"postgresql://{user}:{password}@{host}/db"
        url = "postgresql://user:password@host/db"
        jdbc = "jdbc:postgresql://db/dwh?password={}".format(password)
        Secret("env", "SQL_CONN", "airflow-secrets", "sql_alchemy_conn")
        Secret(deploy_type="env", deploy_target="PASSWORD", secret="airflow-secrets", key="password")
        passwd = ""
        Secret("env", "A", secret="airflow-secrets-2024", key="token")
        secret = "team/analytics/warehouse2024"
        secret2 = get_secret("x")
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        headers = {"Authorization": "Bearer {{ var.value.token }}"}
        headers = {"Authorization": "Bearer <your token>"}
        requests.get(url, auth=("user", "password"))
        requests.get(url, auth=("user", password))
        auth = ("oauth2", "google-oauth2")
        PASSWORD_ENV = "DB_PASSWORD"
        next_page_token = "nextPageToken"
        help = "use --password to pass the password"
        columns = ["id", "password"]
        sql = "SELECT password FROM users WHERE password = %s"
        schema = {"properties": {"password": {"type": "string"}}}
        auth_token = get_token()
        git = "git@github.com:org/repo.git"
        sftp = "sftp://files.example.com:22/in"
        """,
    )


@pytest.mark.covers("L-30")
def test_http_has_a_timeout_and_tls() -> None:
    check(
        "L-30",
        """\
        import requests
        from requests import post as send
        import httpx
        import urllib.request
        requests.get("https://a.example")  # !
        requests.get("https://a.example", timeout=5)
        requests.get("https://a.example", timeout=None)  # !
        send("https://a.example", json={})  # !
        requests.request("GET", "https://a.example", timeout=3)
        requests.get("https://a.example", timeout=5, verify=False)  # !
        requests.get("http://a.example/x", timeout=5)  # !
        requests.get("http://localhost:8080", timeout=5)
        requests.get("http://api.default.svc.cluster.local/x", timeout=5)
        requests.get("http://10.0.0.3/x", timeout=5)
        httpx.get("https://a.example")
        httpx.get("https://a.example", timeout=None)  # !
        urllib.request.urlopen("https://a.example")  # !
        requests.get("https://a.example", **options)
        """,
        """\
        import requests
        def f():
            session = requests.Session()
            session.get("https://a.example")  # !
            session.get("https://a.example", timeout=3)
        def g(session, cache):
            session.get("https://a.example")
            cache.get("key")
            {}.get("x")
            requests.exceptions.HTTPError()
            requests.codes.ok
        """,
        """\
        from airflow.providers.http.hooks.http import HttpHook
        HttpHook("GET").run("x", extra_options={"verify": False})  # !
        HttpHook("GET").run("x", extra_options={"timeout": 5})
        """,
    )


@pytest.mark.covers("L-32")
def test_logger_and_no_secret_in_the_log() -> None:
    check(
        "L-32",
        SDK
        + """\
import logging
from airflow.sdk import BaseHook
log = logging.getLogger(__name__)
with DAG("a"):
    @task
    def f():
        print("one")  # !
        print("two")
        log.info("three")
    @task
    def g():
        conn = BaseHook.get_connection("x")
        log.info("using %s", conn)  # !
        log.info("using %s", conn.conn_id)
        log.info("using %s", conn.password)  # !
        log.info(f"uri {conn.get_uri()}")  # !
        password = read()
        logging.warning("pw %s", password)  # !
        log.info("token refreshed")
        log.info("rows %s", rows)
        pprint("x")
if __name__ == "__main__":
    print("main")
""",
        "def helper():\n    print('no DAG here')\n",
    )


@pytest.mark.covers("L-16")
def test_xcom_holds_metadata() -> None:
    check(
        "L-16",
        SDK
        + """\
import pandas as pd
import pickle
with DAG("a"):
    @task
    def one():
        return pd.read_csv("x")  # !
    @task
    def two():
        df = pd.DataFrame()
        df = df.dropna()
        return df  # !
    @task
    def three():
        frame = pd.read_csv("x")
        frame.to_parquet("y")
        return {"path": "y", "rows": len(frame), "columns": list(frame.columns)}
    @task
    def four(hook):
        return hook.get_records("select 1")  # !
    @task
    def five():
        return open("x", "rb").read()  # !
    @task
    def six(df):
        frame = pd.read_csv("x")
        return frame.to_json()  # !
    @task
    def seven():
        return pickle.dumps({})  # !
    @task
    def eight(ti):
        frame = pd.read_csv("x")
        ti.xcom_push(key="x", value=frame)  # !
        ti.xcom_push(key="y", value=frame.shape[0])
    @task
    def nine():
        frame = pd.read_csv("x")
        return float(frame["x"].mean())
    @task
    def ten():
        def helper():
            return pd.read_csv("x")
        return len(helper())
    @task.branch
    def eleven():
        df = pd.read_csv("x")
        return "a" if len(df) else "b"
    @task
    def twelve():
        frame = pd.read_csv("x")
        frame = "path"
        return frame
def plain():
    return pd.read_csv("x")
""",
        """\
        import pandas as pd
        from airflow import DAG
        from airflow.operators.python import PythonOperator
        def extract():
            return pd.read_sql("select 1", None)  # !
        def load():
            return pd.read_sql("select 1", None)
        with DAG("a") as dag:
            PythonOperator(task_id="a", python_callable=extract)
            PythonOperator(task_id="b", python_callable=load, do_xcom_push=False)
        """,
    )


@pytest.mark.covers("L-17")
def test_a_second_run_changes_nothing() -> None:
    def sample(text: str) -> str:
        operators = "airflow.providers.common.sql.operators.sql"
        return f"{SDK}from {operators} import SQLExecuteQueryOperator as Q\n{text}"

    check(
        "L-17",
        sample("""\
with DAG("a"):
    Q(task_id="a", sql="INSERT INTO sales SELECT * FROM new")  # !
    Q(task_id="b", sql="INSERT INTO t SELECT 1 ON CONFLICT DO NOTHING")
    Q(task_id="c", sql="DELETE FROM days WHERE d = 1; INSERT INTO days VALUES (1)")
    Q(task_id="d", sql="INSERT OVERWRITE TABLE x SELECT 1")
    Q(task_id="e", sql="MERGE INTO t USING s ON 1 WHEN NOT MATCHED THEN INSERT VALUES (1)")
    Q(task_id="f", sql="INSERT INTO logs SELECT 1 WHERE NOT EXISTS (SELECT 1)")
    @task
    def load(df, hook):
        df.to_sql("t", hook, if_exists="append")  # !
        df.to_sql("t", hook, if_exists="replace")
        df.write.mode("append").parquet("x")  # !
        df.write.mode("overwrite").parquet("x")
        hook.run(f"insert into {table} values (1)")
        with open("log.txt", "a") as file:  # !
            file.write("x")
        with open("log.txt", "w") as file:
            file.write("x")
    @task
    def marked(df, hook):
        # dag-lint: idempotent reason: the partition is dropped by the caller
        df.to_sql("t", hook, if_exists="append")
    message = "Insert into the form your name"
"""),
        sample("""\
with DAG("a", tags=["idempotent"]):
    Q(task_id="a", sql="INSERT INTO sales SELECT * FROM new")
"""),
        sample("""\
with DAG("a"):
    Q(task_id="a", sql="TRUNCATE TABLE sales")
    Q(task_id="b", sql="INSERT INTO sales SELECT * FROM new")
    Q(task_id="c", sql="INSERT INTO #tmp SELECT 1")
"""),
        'SQL = "INSERT INTO t VALUES (1)"\n',
    )


@pytest.mark.covers("L-15")
def test_parsing_does_no_work() -> None:
    check(
        "L-15",
        SDK
        + """\
import pandas as pd  # !
import requests
from typing import TYPE_CHECKING
from sklearn.linear_model import LinearRegression  # !
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.sdk import BaseHook
if TYPE_CHECKING:
    import numpy as np
REGION = Variable.get("region")  # !
conn = BaseHook.get_connection("x")  # !
hook = PostgresHook("x")  # !
RATES = requests.get("https://x.example", timeout=3)  # !
def settings():
    return Variable.get("inside")  # !
def unused():
    return Variable.get("never called here")
VALUES = settings()
with DAG("a", params={"x": Variable.get("y")}):  # !
    @task
    def f(x=Variable.get("default")):  # !
        import pandas as pd
        return PostgresHook("x").get_first(Variable.get("y"))
    f()
@dag()
def g():
    name = Variable.get("in the body of a dag")  # !
    @task
    def h():
        return Variable.get("in a task")
    h()
g()
def failed(context):
    Variable.set("x", Variable.get("y"))
DAG("c", on_failure_callback=failed)
template = "{{ var.value.region }}"
""",
        'import pandas as pd\nfrom airflow.models import Variable\nX = Variable.get("imported")  # !\n',
    )
    assert lint(SDK + 'import duckdb\nDAG("a")\n', "L-15", config=Config(heavy_imports=["duckdb"]))


@pytest.mark.covers("L-28")
def test_tasks_leave_the_database_alone() -> None:
    check(
        "L-28",
        SDK
        + """\
from airflow.utils.session import provide_session, create_session  # !
from airflow import settings
from airflow.models import DagRun
from airflow.providers.standard.operators.bash import BashOperator
from sqlalchemy.orm import Session
with DAG("a"):
    BashOperator(task_id="a", bash_command="airflow db clean --yes")  # !
    BashOperator(task_id="b", bash_command="cd /x && airflow users list")  # !
    BashOperator(task_id="c", bash_command="echo airflow dbt run")
    BashOperator(task_id="d", bash_command="airflow dags list")
    BashOperator(task_id="e", bash_command="echo 'see the airflow database'")
    @task
    def f():
        session = settings.Session()  # !
        return DagRun.find(dag_id="x")  # !
    @task
    def g(engine):
        with Session(engine) as session:
            return session.query(1)
""",
        "from airflow.utils.session import provide_session\n",
    )


@pytest.mark.covers("L-03")
def test_taskflow_instead_of_python_operator() -> None:
    sample = SDK + (
        "from airflow.providers.standard.operators.python import BranchPythonOperator, PythonOperator\n"
        "from airflow.operators.python_operator import PythonOperator as Old\n"
        "from mylib import PythonOperator as Own\n"
        "def f(): ...\n"
        'with DAG("a"):\n'
        '    PythonOperator(task_id="a", python_callable=f)  # !\n'
        '    BranchPythonOperator(task_id="b", python_callable=f)  # !\n'
        '    Old(task_id="c", python_callable=f)  # !\n'
        '    Own(task_id="d", python_callable=f)\n'
        "    @task\n"
        "    def g(): ...\n"
        "    g()\n"
        '    PythonOperator.partial(task_id="e", python_callable=f).expand(op_args=[[1]])  # !\n'
    )
    check("L-03", sample)
    assert not lint(sample, "L-03", config=Config(python_operator_allow=["a"]))
    assert not lint(sample, "L-03", config=Config(python_operator_allow=["dags/samp*.py"]))
    assert lint(sample, "L-03", config=Config(python_operator_allow=["b"]))


@pytest.mark.covers("L-03")
def test_a_loop_is_one_finding() -> None:
    sample = SDK + (
        "from airflow.providers.standard.operators.python import PythonOperator\n"
        'for name in ["a", "b", "c"]:\n    PythonOperator(task_id=name, python_callable=print)\n'
    )
    (finding,) = lint(sample, "L-03")
    assert finding.line == 4
