"""The checks as tasks: validate, keep the report, let a gate decide.

    report = validate_file(path, SUITE.to_dict())
    require_success(report) >> load_orders(path)

The report is the XCom of a task that succeeded, so that people and later tasks can read it also when the gate
fails. `.override(task_id=...)` renames a task. Wrong data fails at once: another
try would read the same data.
"""

from __future__ import annotations

import logging
from typing import Any

from airflow.sdk import task
from airflow.sdk.exceptions import AirflowFailException

from tenant_airflow_lib.checks.engine import validate
from tenant_airflow_lib.checks.result import Report, ReportDict
from tenant_airflow_lib.checks.sql import SqlHook, check_zero_rows
from tenant_airflow_lib.checks.suite import Suite
from tenant_airflow_lib.checks.tables import read_csv

log = logging.getLogger(__name__)


@task(multiple_outputs=False)
def validate_file(path: str, suite: dict[str, Any], engine: str = "own") -> ReportDict:
    """Judge a CSV file by a suite (`Suite.to_dict()`); the report, whatever the verdict.

    `engine` is `own` or `great_expectations` (the optional package). Raises what reading raises: a missing
    file may come later, so the task's retries apply. Raises ValueError for another engine.
    """
    rules = Suite.from_dict(suite)
    if engine == "great_expectations":
        from tenant_airflow_lib.checks.great_expectations import validate_csv

        return _told(validate_csv(path, rules).to_dict())
    if engine != "own":
        raise ValueError(f"no engine {engine!r}")
    with read_csv(path) as table:
        return _told(validate(table, rules).to_dict())


@task(multiple_outputs=False)
def check_sql(conn_id: str, rules: dict[str, str]) -> ReportDict:
    """Judge a database: rule name -> SQL that selects the wrong rows; the report, whatever the verdict."""
    from airflow.sdk import BaseHook

    hook: SqlHook = BaseHook.get_hook(conn_id)
    return _told(
        Report(conn_id, [check_zero_rows(hook, sql, name=name) for name, sql in rules.items()]).to_dict()
    )


@task(multiple_outputs=False)
def require_success(report: ReportDict) -> ReportDict:
    """The quality gate: pass the report on, or fail without further tries and name the violated rules."""
    if not report["success"]:
        raise AirflowFailException(f"{report['suite']}: violated {'; '.join(report['violated'])}")
    return report


def _told(report: ReportDict) -> ReportDict:
    for result in report["results"]:
        level = logging.INFO if result["success"] else logging.ERROR
        log.log(level, "%s: %s", result["rule"], result["detail"])
    return report
