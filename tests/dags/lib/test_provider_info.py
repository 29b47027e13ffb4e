"""What the package tells Airflow about itself is true."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import subprocess
import sys
from importlib import resources
from typing import Any

import jsonschema
import pytest

import tenant_airflow_lib
from tenant_airflow_lib import get_provider_info

INFO: dict[str, Any] = get_provider_info()
KINDS = ("operators", "sensors", "triggers", "hooks")


def modules_of(kind: str) -> set[str]:
    return {module for entry in INFO[kind] for module in entry["python-modules"]}


def test_it_fits_airflows_schema() -> None:
    schema = json.loads((resources.files("airflow") / "provider_info.schema.json").read_text())
    jsonschema.validate(INFO, schema)


def test_airflow_finds_the_package_by_its_entry_point() -> None:
    from airflow.providers_manager import ProvidersManager

    assert ProvidersManager().providers["tenant-airflow-lib"].data.items() >= INFO.items()


@pytest.mark.parametrize("kind", KINDS)
def test_every_module_is_listed_and_has_a_class_of_its_kind(kind: str) -> None:
    base = {
        "operators": "BaseOperator",
        "sensors": "PollSensor",
        "triggers": "PollTrigger",
        "hooks": "RestHook",
    }
    known = {entry["integration-name"] for entry in INFO["integrations"]}
    assert {entry["integration-name"] for entry in INFO[kind]} <= known
    found = set()
    for module in pkgutil.iter_modules(importlib.import_module(f"tenant_airflow_lib.{kind}").__path__):
        loaded = importlib.import_module(f"tenant_airflow_lib.{kind}.{module.name}")
        mine = (item for item in vars(loaded).values() if inspect.isclass(item))
        own = [item for item in mine if item.__module__ == loaded.__name__]
        kinds = {parent.__name__ for item in own for parent in item.__mro__[1:]}
        if base[kind] in kinds:
            found.add(loaded.__name__)
    assert modules_of(kind) == found


def test_every_notifier_is_listed() -> None:
    from tenant_airflow_lib import notifiers
    from tenant_airflow_lib.notifiers.base import SafeNotifier

    classes = {
        name
        for name, item in vars(notifiers).items()
        if inspect.isclass(item) and issubclass(item, SafeNotifier)
    }
    assert {name.rpartition(".")[2] for name in INFO["notifications"]} == classes


def test_importing_what_a_dag_file_needs_loads_no_client() -> None:
    """A DAG file is parsed again and again; HTTP, Slack, SMTP and the like are loaded by the task."""
    code = """
import sys
import airflow.sdk, airflow.sdk.bases.operator, airflow.triggers.base
before = set(sys.modules)
import tenant_airflow_lib.notifiers
for kind in ("operators", "sensors"):
    for name in ("mlflow", "kubeflow", "great_expectations", "data_quality"):
        try:
            __import__(f"tenant_airflow_lib.{kind}.{name}")
        except ModuleNotFoundError:
            pass
new = {name.partition(".")[0] for name in set(sys.modules) - before}
heavy = {"requests", "aiohttp", "slack_sdk", "aiosmtplib", "great_expectations", "pandas", "yaml"}
print(sorted(new & heavy))
print(sorted(name for name in set(sys.modules) - before if name.startswith("airflow.providers")))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.splitlines()[-2:] == ["[]", "[]"]


def test_the_version_is_that_of_the_distribution() -> None:
    from importlib.metadata import version

    assert INFO["versions"] == [version("tenant-airflow-lib")]
    assert tenant_airflow_lib.__doc__
