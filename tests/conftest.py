"""What every test of the repository shares."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Generator
from pathlib import Path

import pytest
from tests import git_environment

pytest_plugins = ["tools.pytest_covers"]

git_environment.prepare(os.environ)

# Two environments, two runs of `make test`: Airflow's pins exclude the operator's (kubernetes < 37).
_IN_AIRFLOW = importlib.util.find_spec("tenant_operator") is None
collect_ignore = (
    [path.name for path in Path(__file__).parent.iterdir() if path.is_dir() and path.name != "dags"]
    if _IN_AIRFLOW
    else ["dags"]
)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With CI set a skipped test is a failed one: what nobody runs proves nothing. Expected failures stay."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        _must_run(report, item.nodeid)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a whole module (importorskip)."""
    report = yield
    if report.skipped:
        _must_run(report, collector.nodeid)
    return report


def _must_run(report: pytest.TestReport | pytest.CollectReport, node: str) -> None:
    if os.environ.get("CI", "").lower() in ("", "0", "false"):
        return
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    report.outcome = "failed"
    report.longrepr = f"{node} may not be skipped where CI is set. {reason}"
