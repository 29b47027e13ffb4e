"""The tests of the DAG library run inside Airflow's environment: .venv-airflow/bin/pytest tests/dags."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.dags import home
from tests.dags.services import (  # noqa: F401 - fixtures
    aws,
    certificate,
    connect,
    datagrams,
    http_connection,
    mlflow,
    mlflow_server,
    moto_server,
    postgres,
    postgres_server,
    sftp,
    smtp,
    smtp_starttls,
    variable,
)

home.prepare()

# Warnings are errors; these are Airflow 3.3.2's and its libraries' own, raised in their files, not in ours.
_NOT_OURS = [
    "ignore:GitWildMatchPattern:DeprecationWarning",  # airflow._shared.module_loading reads .airflowignore
    # the standard provider's PythonSensor imports it from where it used to be
    "ignore:The .airflow.utils.operator_helpers.determine_kwargs. attribute is deprecated:FutureWarning",
]


def pytest_configure(config: pytest.Config) -> None:
    """Add the exceptions for this folder only."""
    for line in _NOT_OURS:
        config.addinivalue_line("filterwarnings", line)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread the files over the test processes, but keep the live Airflow in one, and start with it."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            group = "live" if here / "live" in item.path.parents else str(item.path.relative_to(here))
            item.add_marker(pytest.mark.xdist_group(group))
            if group == "live":  # the first of them starts a whole Airflow
                item.add_marker(pytest.mark.timeout(1200))
    items.sort(key=lambda item: here / "live" not in item.path.parents)
