"""The tests of the DAG library run inside Airflow's own environment: .venv-airflow/bin/pytest tests/dags."""

from __future__ import annotations

import pytest
from tests.dags import home

home.prepare()

pytest_plugins = ["tests.dags.services"]

# Warnings are errors; these are Airflow 3.3.2's and its libraries' own, raised in their files, not in ours.
_NOT_OURS = [
    "ignore:GitWildMatchPattern:DeprecationWarning",  # airflow._shared.module_loading reads .airflowignore
]


def pytest_configure(config: pytest.Config) -> None:
    """Add the exceptions for this folder only."""
    for line in _NOT_OURS:
        config.addinivalue_line("filterwarnings", line)
