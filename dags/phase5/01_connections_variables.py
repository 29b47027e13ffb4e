"""
# Connections and Variables: configuration outside the code

A report needs an address with a password, a currency and a few settings. None of them is in this file.

**What it shows**

- A *Connection* holds an address with its secrets: `Connection.get("postgres_conn")` in a task.
- A *Variable* is a text, or JSON with `deserialize_json=True`. `default=` is what counts when it is missing.
- In templates: `{{ conn.postgres_conn.host }}`, and with a default
  `{{ var.value.get("platform_report_currency", "EUR") }}`. Airflow renders them when the task starts.
- Airflow writes `***` for every password that it has handed out: `check_login` calls a program that
  prints its connection string, and the log shows `report:***@...`. That is a demonstration of the net; a DAG
  of yours prints no connection string.
- XComs are *not* masked. So `describe_target` returns the address without the password, and `check_login` has
  `do_xcom_push=False`: its last line would be stored otherwise.

**When to use it**

Connections for everything with a secret or an address; Variables for settings that change without a
deployment.

**When not**

- At the top level of a file: the code there runs at every parse, and each `Variable.get` asks the API server.
- For what one run needs: `params`. For what never changes: a constant.

**What to change**

The connection `postgres_conn`, the Variables `platform_report_currency` (text) and
`platform_report_settings` (JSON, such as `{"rows_per_page": 20}`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pendulum
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Connection, Variable, task

from airflow_usecases import warehouse

if TYPE_CHECKING:
    from airflow_usecases.warehouse import Settings, Target

CONNECTION = "postgres_conn"


@task(multiple_outputs=False)
def describe_target() -> Target:
    """Where the report is read from, without the password."""
    return warehouse.describe(Connection.get(CONNECTION))


@task(multiple_outputs=False)
def read_settings() -> Settings:
    """One Variable as text and one as JSON, each with a default."""
    currency = Variable.get("platform_report_currency", default="EUR")
    stored = Variable.get("platform_report_settings", default={}, deserialize_json=True)
    return warehouse.settings(currency, stored)


@task
def name_report(target: Target, settings: Settings, title: str) -> str:
    """Put the pieces together; `title` is a template."""
    return f"{title}: {', '.join(settings['regions'])} in {settings['currency']} from {target['database']}"


with DAG(
    dag_id="phase5_01_connections_variables",
    description="Configuration from Connections and Variables, in code and in templates, without leaks",
    doc_md=__doc__,
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=30),
    default_args={
        "owner": "platform",
        "retries": 1,
        "retry_delay": timedelta(minutes=1),
        "execution_timeout": timedelta(minutes=5),
    },
    tags=["phase5", "configuration"],
):
    # only to show the masking: do not copy the echo, a secret belongs in no output
    check_login = BashOperator(
        task_id="check_login",
        bash_command='echo "connected: postgresql://$PGUSER:$PGPASSWORD@$PGHOST"',
        env={
            "PGHOST": "{{ conn.postgres_conn.host }}",
            "PGUSER": "{{ conn.postgres_conn.login }}",
            "PGPASSWORD": "{{ conn.postgres_conn.password }}",
        },
        do_xcom_push=False,
        doc_md="Prints a connection string **to show that it is masked**. Not for copying.",
    )
    report = name_report(
        describe_target(),
        read_settings(),
        "{{ var.value.get('platform_report_currency', 'EUR') }} report of {{ conn.postgres_conn.host }}",
    )

    check_login >> report
