"""The audit pauses stale, unprotected DAGs, and only when it is told to.

The stub answers as Airflow's REST API v2 documents it (GET /dags, .../dagRuns, .../dagVersions, PATCH
/dags/{id}, POST /auth/token) and refuses requests without the token.
"""

from __future__ import annotations

import datetime
import json
import re

import pytest
from tests.dags.library import bag
from tests.dags.runner import run
from werkzeug import Request, Response

DAG_ID = "platform_pause_unused_dags"
PASSWORD = "airflow-api-password"
OLD, RECENT = 200, 10  # days
NOW = datetime.datetime.now(datetime.UTC)  # before every run


def ago(days: int) -> str:
    return (NOW - datetime.timedelta(days=days)).isoformat()


# id -> tags, days since the last run (None: never), days since the first version
DAGS = {
    "stale": ([], OLD, 400),
    "stale_long": (["team_x"], 300, 400),
    "just_stale": ([], 90, 400),
    "recent": ([], RECENT, 400),
    "one_day_short": ([], 89, 400),
    "stale_production": (["production"], OLD, 400),
    "stale_critical": (["etl", "critical"], OLD, 400),
    "stale_named": ([], OLD, 400),
    "never_ran_old": ([], None, 120),
    "never_ran_new": ([], None, 5),
    DAG_ID: ([], OLD, 400),
} | {f"recent_{index:03d}": ([], RECENT, 400) for index in range(100)}


class Airflow:
    def __init__(self) -> None:
        self.paused: list[str] = []

    def answer(self, request: Request) -> Response:
        if request.path == "/auth/token":
            assert request.json == {"username": "auditor", "password": PASSWORD}
            return self.json({"access_token": "t0ken"})
        assert request.headers["Authorization"] == "Bearer t0ken"
        parts = request.path.removeprefix("/api/v2/").split("/")
        if len(parts) == 1:
            return self.page(request)
        _, last_run, first_seen = DAGS[parts[1]]
        if request.method == "PATCH":
            assert request.json == {"is_paused": True}
            self.paused.append(parts[1])
            return self.json({"dag_id": parts[1], "is_paused": True})
        if parts[2] == "dagRuns":
            assert request.args.to_dict() == {"limit": "1", "order_by": "-run_after"}
            return self.json({"dag_runs": [] if last_run is None else [{"run_after": ago(last_run)}]})
        assert parts[2] == "dagVersions"
        assert request.args.to_dict() == {"limit": "1", "order_by": "version_number"}
        return self.json({"dag_versions": [{"created_at": ago(first_seen)}]})

    def page(self, request: Request) -> Response:
        assert request.args["paused"] == "false"
        start, size = int(request.args["offset"]), int(request.args["limit"])
        ids = list(DAGS)[start : start + size]
        dags = [{"dag_id": dag_id, "tags": [{"name": tag} for tag in DAGS[dag_id][0]]} for dag_id in ids]
        return self.json({"dags": dags, "total_entries": len(DAGS)})

    @staticmethod
    def json(body: object) -> Response:
        return Response(json.dumps(body), content_type="application/json")


@pytest.fixture
def airflow_api(httpserver, http_connection) -> Airflow:
    airflow = Airflow()
    httpserver.expect_request(re.compile(".*")).respond_with_handler(airflow.answer)
    http_connection("airflow_api", login="auditor", password=PASSWORD)
    return airflow


@pytest.mark.covers("D000-12")
def test_the_default_is_a_dry_run_that_reports_and_pauses_nothing(airflow_api, httpserver):
    done = run(DAG_ID)
    httpserver.check_assertions()
    assert bag().dags[DAG_ID].params["dry_run"] is True
    assert done.state == "success"
    assert done.states == {
        "find_unused": "success",
        "confirm_pausing": "success",
        "pause_unused": "skipped",
    }
    found = done.xcom("find_unused")
    assert [dag["dag_id"] for dag in found] == [
        "stale_long",
        "stale",
        "stale_named",
        "never_ran_old",
        "just_stale",
    ]
    assert found[3] == {"dag_id": "never_ran_old", "idle_days": 120, "ever_ran": False}
    assert airflow_api.paused == []


@pytest.mark.covers("D000-12")
def test_told_to_act_it_pauses_only_the_stale_and_unprotected(airflow_api, httpserver):
    done = run(DAG_ID, conf={"dry_run": False, "protected_dag_ids": ["stale_named"]})
    httpserver.check_assertions()
    assert done.state == "success"
    assert airflow_api.paused == ["stale_long", "stale", "never_ran_old", "just_stale"]
    assert done.xcom("pause_unused") == airflow_api.paused


@pytest.mark.covers("D000-12")
def test_the_limit_in_days_is_a_param(airflow_api):
    run(DAG_ID, conf={"dry_run": False, "unused_days": 250})
    assert airflow_api.paused == ["stale_long"]


def test_with_nothing_unused_there_is_nothing_to_pause(airflow_api):
    done = run(DAG_ID, conf={"dry_run": False, "unused_days": 1000})
    assert done.states["pause_unused"] == "skipped"
    assert airflow_api.paused == []


def test_the_password_is_in_no_xcom(airflow_api):
    done = run(DAG_ID)
    assert PASSWORD not in json.dumps([done.xcoms(task_id) for task_id in done.states])


def test_the_audit_pauses_itself_after_three_failures_in_a_row():
    assert bag().dags[DAG_ID].max_consecutive_failed_dag_runs == 3
