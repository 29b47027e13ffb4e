"""
# The dimension of users

Users from staging into `dim_users`: new ones are added, changed ones updated, unchanged ones not touched.

**What it shows**

- SQL where the data is: the operator sends two statements; no row passes through Airflow.
- An upsert that can be repeated (`ON CONFLICT`), and that writes only what differs, so that `updated_at`
  means something.
- A check as the gate behind it: `SQLTableCheckOperator` fails the run when a user has come without a
  country, or when the dimension has fewer users than staging. Its retry policy repeats it after a lost
  connection only: wrong data is as wrong five minutes later.

**When to use it**

Dimensions of which only the current state is asked for.

**When not**

When the history matters: keep versions with the time until which they were valid, as
`platform_ingest_cdc_bronze` does.

**What to change**

Columns and key. The connection `warehouse` names the database.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator, SQLTableCheckOperator
from airflow.sdk import DAG, ExceptionRetryPolicy, RetryAction, RetryRule

ONLY_LOST_CONNECTIONS = ExceptionRetryPolicy(
    rules=[RetryRule("psycopg2.OperationalError", RetryAction.RETRY)], default=RetryAction.FAIL
)
CREATE = """
CREATE TABLE IF NOT EXISTS dim_users (
    user_id BIGINT PRIMARY KEY,
    name TEXT NOT NULL,
    country TEXT,
    updated_at TIMESTAMPTZ NOT NULL DEFAULT now()
)
"""
UPSERT = """
INSERT INTO dim_users AS old (user_id, name, country)
SELECT DISTINCT ON (user_id) user_id, name, country FROM stg_users ORDER BY user_id, loaded_at DESC
ON CONFLICT (user_id) DO UPDATE
SET name = excluded.name, country = excluded.country, updated_at = now()
WHERE (old.name, old.country) IS DISTINCT FROM (excluded.name, excluded.country)
"""

with DAG(
    dag_id="de_dim_users",
    description="Users from staging into the dimension: an upsert and a check behind it",
    doc_md=__doc__,
    schedule="30 5 * * *",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    default_args={
        "owner": "data_engineering",
        "retries": 3,
        "retry_delay": timedelta(minutes=2),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=20),
        "execution_timeout": timedelta(minutes=15),
    },
    tags=["data_engineering", "transformation", "pii"],
):
    upsert_users = SQLExecuteQueryOperator(
        task_id="upsert_users",
        conn_id="warehouse",
        sql=[CREATE, UPSERT],
        split_statements=False,
        autocommit=False,
        show_return_value_in_logs=False,
        do_xcom_push=False,
    )
    check_users = SQLTableCheckOperator(
        task_id="check_users",
        conn_id="warehouse",
        table="dim_users",
        retry_policy=ONLY_LOST_CONNECTIONS,
        checks={
            "every_user_has_a_country": {"check_statement": "COUNT(*) = COUNT(country)"},
            "no_user_is_missing": {
                "check_statement": "COUNT(*) >= (SELECT COUNT(DISTINCT user_id) FROM stg_users)"
            },
        },
    )
    upsert_users >> check_users
