"""
# BashOperator: shell commands

A shop exports its orders into a file per day, with a checksum beside it. Find, verify, count.

**What it shows**

- The last line of standard output is the task's XCom; here the path, then `<day> <number> orders`.
- Exit codes: 0 success, 99 *skipped* (`skip_on_exit_code`), anything else failed. No export today is no
  error, a wrong checksum is one. `set -euo pipefail` stops the script at the first command that fails.
- `env=` replaces the worker's environment; with `append_env=True` it is added to it. `find_export` needs no
  program and gets only two variables; the others need `PATH`.
- Jinja: `{{ ds }}` is the run's date. It does not exist in a run without logical date, hence the default.

**When to use it**

To call a program that exists: `rsync`, `dbt`, a vendor's command-line client.

**When not**

For logic: beyond some ten lines, Python is easier to test. And never put a value that a user may choose
(`params`, `conf`, an XCom) into `bash_command` itself: a file name with `; rm -rf` in it would run. Pass it
by `env` and quote the variable, as all three tasks do.

**What to change**

The parameter `export_folder`, and the commands.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Param

DAY = "{{ ds | default(dag_run.run_after | ds) }}"

with DAG(
    dag_id="phase3_01_bash_operator",
    description="Shell commands: environment, templates, exit codes, the last line as XCom",
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
    params={
        "export_folder": Param("/data/exports", type="string", description="Folder of orders_<day>.csv files")
    },
    tags=["phase3", "bash"],
):
    find_export = BashOperator(
        task_id="find_export",
        bash_command="""
            set -eu
            file="$EXPORT_FOLDER/orders_$DAY.csv"
            [ -f "$file" ] || { echo "no export for $DAY"; exit 99; }
            echo "$file"
        """,
        env={"EXPORT_FOLDER": "{{ params.export_folder }}", "DAY": DAY},
    )
    verify_checksum = BashOperator(
        task_id="verify_checksum",
        bash_command="""
            set -euo pipefail
            cd "$(dirname "$EXPORT_FILE")"
            sha256sum --check "$EXPORT_FILE.sha256"
        """,
        env={"EXPORT_FILE": "{{ ti.xcom_pull('find_export') }}"},
        append_env=True,
    )
    count_orders = BashOperator(
        task_id="count_orders",
        bash_command="""
            set -euo pipefail
            echo "counting $EXPORT_FILE"
            echo "$DAY $(tail -n +2 "$EXPORT_FILE" | wc -l) orders"
        """,
        env={"EXPORT_FILE": "{{ ti.xcom_pull('find_export') }}", "DAY": DAY},
        append_env=True,
    )

    find_export >> verify_checksum >> count_orders
