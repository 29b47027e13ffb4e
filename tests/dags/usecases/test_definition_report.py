"""What is said of a definition file."""

from __future__ import annotations

import pytest

from airflow_usecases import definition_report
from tenant_airflow_lib.factory import Policy


def test_a_report_has_every_problem_once(tmp_path):
    path = tmp_path / "dags.yaml"
    path.write_text(
        "format: 1\nenvironments: {a: {}, b: {}}\ndefault_environment: a\n"
        "dags:\n  - {dag_id: x, tasks: [{id: t, operator: nothing}]}\n"
    )
    report = definition_report.check_file(str(path), Policy())
    assert report["dags"] == {"a": [], "b": []}
    assert len(report["problems"]) == 1
    with pytest.raises(ValueError, match="unknown-operator"):
        definition_report.summarise([report])


def test_a_good_file_is_reported_with_its_dags_by_environment(tmp_path):
    path = tmp_path / "dags.yaml"
    path.write_text(
        "format: 1\nversion: '7'\ndags:\n  - {dag_id: x, schedule: null, tasks: [{id: t, operator: empty}]}\n"
    )
    report = definition_report.check_file(str(path), Policy())
    assert report == {"file": "dags.yaml", "version": "7", "dags": {"": ["x"]}, "problems": []}
    assert definition_report.summarise([report]) == {"dags.yaml": "7"}
