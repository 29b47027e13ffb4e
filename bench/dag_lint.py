"""How fast dag-lint is: `python -m bench.dag_lint [FILES]` lints that many made DAG files (1000)."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from dag_lint import engine
from dag_lint.config import Config
from dag_lint.discover import find
from dag_lint.selection import default_rules

_FILE = '''\
"""Loads the sales of shop {number}."""

from __future__ import annotations

import logging
from datetime import timedelta

import pendulum
from airflow.providers.postgres.hooks.postgres import PostgresHook
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.sensors.filesystem import FileSensor
from airflow.sdk import DAG, Variable, chain, task, task_group

log = logging.getLogger(__name__)
DEFAULTS = {{"owner": "shop", "retries": 3, "retry_delay": timedelta(minutes=1)}}

with DAG(
    dag_id="shop_load_sales_{number}",
    schedule="@daily",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    default_args={{**DEFAULTS, "execution_timeout": timedelta(minutes=30)}},
    tags=["shop", "sales"],
) as dag:
    wait = FileSensor(task_id="wait_for_file", filepath="/data/{number}.csv", poke_interval=300)
    unpack = [BashOperator(task_id=f"unpack_{{name}}", bash_command=f"unzip {{name}}") for name in "abc"]

    @task
    def extract(ds: str) -> dict[str, str]:
        rows = PostgresHook("sales").get_records("SELECT * FROM sales WHERE day = %s", parameters=[ds])
        log.info("%s rows", len(rows))
        return {{"path": f"/data/{{ds}}.csv"}}

    @task_group
    def publish(source: dict[str, str]) -> None:
        @task
        def upload(path: dict[str, str]) -> None:
            log.info("%s to %s", path, Variable.get("shop_target"))

        upload.override(task_id="upload_again")(upload(source))

    data = extract()
    chain(wait, unpack, data)
    publish(data)
'''


def main(argv: list[str]) -> int:
    """Print files per second for one process and for all cores."""
    count = int(argv[0]) if argv else 1000
    with tempfile.TemporaryDirectory(prefix="dag-lint-bench-") as name:
        folder = Path(name)
        for number in range(count):
            (folder / f"shop_{number}.py").write_text(_FILE.format(number=number), encoding="utf-8")
        for jobs in (1, 0):
            options = engine.Options(default_rules(), Config(), base=folder, root=folder, jobs=jobs)
            started = time.perf_counter()
            report = engine.lint(find([folder], []), options)
            seconds = time.perf_counter() - started
            who = "one process" if jobs else "all cores"
            rate = report.files / seconds
            print(
                f"{who}: {report.files} files, {len(report.findings)} findings, "
                f"{seconds:.2f} s, {rate:.0f} files/s"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
