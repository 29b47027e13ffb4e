"""Great Expectations gives the same verdict as the own engine for the same suite."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from tenant_airflow_lib import checks

SUITE = checks.Suite(
    name="orders",
    expectations=[
        checks.RowCount(min_value=2, max_value=10),
        checks.ColumnExists(column="order_id"),
        checks.NotNull(column="order_id"),
        checks.NotNull(column="note", mostly=0.3),
        checks.Between(column="amount", min_value=0, max_value=100),
        checks.Between(column="amount", min_value=0, strict_min=True, mostly=0.6),
    ],
)
HEADER = "order_id,amount,note\n"


@pytest.fixture(scope="module")
def by_gx():
    with warnings.catch_warnings():  # its imports use modules that Python deprecates
        warnings.simplefilter("ignore")
        import great_expectations  # noqa: F401

        from tenant_airflow_lib.checks.great_expectations import validate_csv
    return validate_csv


def own(file: Path, suite: checks.Suite) -> checks.Report:
    with checks.read_csv(file) as table:
        return checks.validate(table, suite)


@pytest.mark.covers("P10.1", "OP-8")
@pytest.mark.parametrize(
    ("rows", "violated"),
    [
        ("1,5,a\n2,7.5,\n", []),
        ("1,5,a\n", [0]),
        ("1,5,a\n,6,\n", [2]),
        ("1,5,a\n2,,\n3,101,\n", [4]),
        ("1,5,\n2,0,\n3,-1,\n", [3, 4, 5]),
    ],
)
def test_both_engines_give_the_same_report(tmp_path, by_gx, rows, violated):
    file = tmp_path / "orders.csv"
    file.write_text(HEADER + rows)
    report = by_gx(file, SUITE)
    assert report.violated == [str(SUITE.expectations[position]) for position in violated]
    assert report.to_dict() == own(file, SUITE).to_dict()


def test_both_engines_violate_rules_about_a_column_that_is_not_there(tmp_path, by_gx):
    file = tmp_path / "orders.csv"
    file.write_text(HEADER + "1,5,a\n")
    suite = checks.Suite(
        name="s",
        expectations=[
            checks.ColumnExists(column="customer"),
            checks.NotNull(column="customer"),
            checks.Between(column="customer", min_value=0),
        ],
    )
    report = by_gx(file, suite)
    assert report.violated == own(file, suite).violated == [str(rule) for rule in suite.expectations]
    assert "customer" in report.results[2].detail


def test_great_expectations_does_not_report_home(tmp_path, by_gx, monkeypatch):
    import socket

    file = tmp_path / "orders.csv"
    file.write_text(HEADER + "1,5,a\n2,6,b\n")
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("looks a host up"))
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("connects"))
    assert by_gx(file, SUITE).success


@pytest.mark.covers("P10.1")
def test_the_checks_need_neither_great_expectations_nor_airflow():
    code = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(['great_expectations', 'pandas', 'airflow']))\n"
        "from tenant_airflow_lib import checks\n"
        "import tenant_airflow_lib.checks.great_expectations as adapter\n"
        "try:\n"
        "    adapter.validate_csv('x.csv', None)\n"
        "except ModuleNotFoundError as error:\n"
        "    print(error.name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "great_expectations"


@pytest.mark.covers("X-23")
def test_the_own_engine_judges_without_great_expectations_and_the_adapter_as_it_would(tmp_path, by_gx):
    """The adapter is for GX 1.x: 0.18's batch requests and `run_checkpoint` are gone."""
    import great_expectations

    assert int(great_expectations.__version__.split(".")[0]) >= 1
    file = tmp_path / "orders.csv"
    file.write_text(HEADER + "1,5,a\n2,101,\n,7,b\n")
    code = (
        "import json, sys\n"
        "sys.modules.update(dict.fromkeys(['great_expectations', 'pandas', 'airflow']))\n"
        "from tenant_airflow_lib import checks\n"
        "suite = checks.Suite(name='orders', expectations=[checks.NotNull(column='order_id'),\n"
        "    checks.Between(column='amount', min_value=0, max_value=100)])\n"
        "with checks.read_csv(sys.argv[1]) as table:\n"
        "    print(json.dumps(checks.validate(table, suite).to_dict()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True, timeout=120
    )
    suite = checks.Suite(
        name="orders",
        expectations=[
            checks.NotNull(column="order_id"),
            checks.Between(column="amount", min_value=0, max_value=100),
        ],
    )
    alone = json.loads(done.stdout)
    assert len(alone["violated"]) == 2
    assert alone == by_gx(file, suite).to_dict()
