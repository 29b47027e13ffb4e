"""The four kinds of test for a DAG, each against the mistake that it finds."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from tests.dags.home import LIBRARY
from tests.dags.library import bag, file_of
from tests.dags.runner import run

DAG_ID = "phase11_01_dag_testing"
HELPER = LIBRARY / "airflow_usecases" / "invoices.py"
ROOT = LIBRARY.parent


@pytest.mark.covers("P11.1")
def test_the_unit_tests_cover_the_helper_without_airflow(tmp_path):
    environment = {
        **os.environ,
        "COVERAGE_FILE": str(tmp_path / "coverage"),
        "PYTHONPATH": str(LIBRARY),
        "PYTEST_ADDOPTS": "-p no:cacheprovider -p no:xdist",
    }
    report = tmp_path / "coverage.json"
    for arguments in (
        [
            "run",
            f"--include={HELPER}",
            "-m",
            "pytest",
            "--noconftest",
            "-q",
            "tests/dags/usecases/test_invoices.py",
        ],
        ["json", "-o", str(report)],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "coverage", *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    (measured,) = json.loads(report.read_text())["files"].values()
    assert measured["summary"]["num_statements"] > 30
    assert measured["summary"]["percent_covered"] >= 95


@pytest.mark.covers("P11.1")
def test_the_helper_imports_nothing_of_airflow():
    code = (
        "import sys, airflow_usecases.invoices\n"
        "print([name for name in sys.modules if name.split('.')[0] == 'airflow'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=LIBRARY, capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.covers("P11.1")
def test_a_tasks_function_can_be_called_by_itself():
    spec = importlib.util.spec_from_file_location("dag_testing", file_of(DAG_ID))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.load_lines.function({"lines": [1, 2]}) == [1, 2]
    assert module.sum_invoices.function({"Ines": {"gross": "1.10"}, "Mei": {"gross": "2.05"}}) == "3.15"


@pytest.mark.covers("P11.1")
def test_the_file_loads_and_has_the_intended_edges():
    dag = bag().dags[DAG_ID]
    assert {task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks} == {
        "load_lines": ["write_invoices"],
        "write_invoices": ["sum_invoices"],
        "sum_invoices": [],
    }


HEAD = """
import pendulum
from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator
with DAG("checked", schedule=None, start_date=pendulum.datetime(2024, 1, 1, tz="UTC")):
    first, second = EmptyOperator(task_id="first_step"), EmptyOperator(task_id="second_step")
    first >> second
"""


@pytest.mark.covers("P11.1")
@pytest.mark.parametrize(
    ("text", "error"),
    [
        (HEAD, None),
        (HEAD + "    second >> first\n", "Cycle detected in Dag: checked"),
        ("import no_such_module\n" + HEAD, "No module named 'no_such_module'"),
    ],
    ids=["good", "cycle", "import"],
)
def test_the_import_test_finds_a_cycle_and_a_failing_import(tmp_path: Path, text, error):
    file = tmp_path / "dag_checked.py"
    file.write_text(text)
    found = DagBag(dag_folder=file, bundle_path=tmp_path, bundle_name="test")
    if error is None:
        assert (list(found.dags), found.import_errors) == (["checked"], {})
    else:
        (message,) = found.import_errors.values()
        assert error in message
        assert found.dags == {}


@pytest.mark.covers("P11.1")
def test_the_whole_run_succeeds_with_the_result_of_the_helper():
    done = run(DAG_ID)
    assert done.state == "success"
    assert done.of("success") == {"load_lines", "write_invoices", "sum_invoices"}
    assert done.xcom("write_invoices") == {
        "Ines": {"net": "123.74", "tax": "28.46", "gross": "152.20"},
        "Mei": {"net": "59.70", "tax": "5.97", "gross": "65.67"},
    }
    assert done.xcom("sum_invoices") == "217.87"


def test_lines_come_from_outside_and_a_wrong_one_fails_the_run():
    line = {"customer": "A", "country": "XX", "quantity": 1, "unit_price": "1"}
    assert run(DAG_ID, conf={"lines": [line]}).of("failed") == {"write_invoices"}
