"""Validation of a checkout, and the smoke test's questions."""

from __future__ import annotations

import pytest
import requests
from tests.dags.phase11.cicd import DAG_FILE

from airflow_usecases import release


def test_files_are_imported_without_this_process_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_SECRET", "x")
    (tmp_path / "released.py").write_text(
        f"{DAG_FILE}\nimport os\nassert 'AIRFLOW_CONN_SECRET' not in os.environ\n"
    )
    assert release.parse_dags(tmp_path) == ["released"]


def test_each_broken_file_is_named(tmp_path):
    (tmp_path / "released.py").write_text(DAG_FILE)
    (tmp_path / "broken.py").write_text("from airflow.sdk import DAG\n1 / 0\n")
    with pytest.raises(release.InvalidDags, match=r"^broken.py: .*division by zero"):
        release.parse_dags(tmp_path)


def test_no_dags_are_an_error(tmp_path):
    with pytest.raises(release.InvalidDags, match="no DAGs"):
        release.parse_dags(tmp_path)


def test_a_refused_login_is_no_verdict(httpserver):
    httpserver.expect_request("/auth/token").respond_with_json({}, status=401)
    with pytest.raises(requests.HTTPError):
        release.smoke_problems(httpserver.url_for("").rstrip("/"), "a", "b")
