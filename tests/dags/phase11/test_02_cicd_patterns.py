"""Six stages in order; a failing one keeps production as it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.dags.phase11.cicd import Checkout
from tests.dags.runner import run

DAG_ID = "phase11_02_cicd_patterns"
STAGES = ["check_style", "run_tests", "validate_dags", "deploy_staging", "run_smoke_tests", "choose_gate"]
HEALTHY = {
    "metadatabase": {"status": "healthy"},
    "scheduler": {"status": "healthy"},
    "triggerer": {"status": None},
    "dag_processor": {"status": "healthy"},
}
TOOL_CALLS = [
    "ruff check .",
    "ruff format --check .",
    "coverage run -m pytest tests",
    "coverage report --fail-under=80",
]


@pytest.fixture
def checkout(tmp_path, variable):
    checkout = Checkout(tmp_path)
    variable("platform_cicd_tools", str(checkout.tools))
    variable("platform_cicd_checkouts", str(checkout.folder))
    return checkout


@pytest.fixture
def staging(httpserver, http_connection):
    """The answers are those of Airflow's REST API: /auth/token, /monitor/health, /importErrors."""
    http_connection("airflow_staging", login="smoke", password="s3cret")

    def behaves(health=HEALTHY, errors=()):
        httpserver.expect_request(
            "/auth/token", method="POST", json={"username": "smoke", "password": "s3cret"}
        ).respond_with_json({"access_token": "t"}, status=201)
        signed = {"headers": {"Authorization": "Bearer t"}}
        httpserver.expect_request("/api/v2/monitor/health", **signed).respond_with_json(health)
        httpserver.expect_request("/api/v2/importErrors", **signed).respond_with_json(
            {"import_errors": [{"filename": name} for name in errors], "total_entries": len(errors)}
        )

    return behaves


@pytest.fixture
def answer(monkeypatch):
    """Let a person answer at once; the waiting itself needs a scheduler."""
    from datetime import UTC, datetime

    from airflow.providers.standard.operators.hitl import ApprovalOperator

    asked = []

    def answers(option):
        def execute(self, context):
            asked.append(self.subject)
            event = {
                "chosen_options": [option],
                "params_input": {},
                "responded_at": datetime.now(UTC),
                "responded_by_user": None,
            }
            self.execute_complete(context, event)

        monkeypatch.setattr(ApprovalOperator, "execute", execute)
        return asked

    return answers


@pytest.mark.covers("P11.2")
def test_six_stages_lead_to_production_after_the_approval(checkout, staging, answer):
    staging()
    asked = answer("Approve")
    done = run(DAG_ID, conf=checkout.conf)
    assert done.of("success") == {*STAGES, "approve_production", "deploy_production"}
    assert done.of("skipped") == {"reject_release"}
    started = [done.tasks[name].started for name in [*STAGES, "approve_production", "deploy_production"]]
    assert started == sorted(started)
    assert checkout.calls == TOOL_CALLS
    assert done.xcom("validate_dags") == ["released"]
    assert asked == [f"Deploy {checkout.commit} to production?"]
    assert checkout.deployed == {"staging": checkout.commit, "production": checkout.commit}


@pytest.mark.covers("P11.2")
@pytest.mark.parametrize(
    ("behaviour", "problems"),
    [
        ({"errors": ["orders.py"]}, ["orders.py is not imported"]),
        (
            {"health": HEALTHY | {"scheduler": {"status": "unhealthy"}, "dag_processor": None}},
            ["scheduler is unhealthy", "dag_processor is None"],
        ),
    ],
)
def test_a_failing_smoke_test_skips_production_and_fails_the_run(checkout, staging, behaviour, problems):
    staging(**behaviour)
    done = run(DAG_ID, conf=checkout.conf)
    assert done.state == "failed"
    assert done.of("success") == set(STAGES)
    assert done.of("skipped") == {"approve_production", "deploy_production"}
    assert done.of("failed") == {"reject_release"}
    assert done.xcom("run_smoke_tests") == problems
    assert checkout.deployed == {"staging": checkout.commit}


@pytest.mark.covers("P11.2")
def test_a_rejection_skips_production(checkout, staging, answer):
    staging()
    answer("Reject")
    done = run(DAG_ID, conf=checkout.conf)
    assert done.of("skipped") == {"deploy_production", "reject_release"}
    assert checkout.deployed == {"staging": checkout.commit}


@pytest.mark.covers("P11.2")
@pytest.mark.parametrize(
    ("tool", "fails_on", "stage", "calls"),
    [
        ("ruff", "format", "check_style", 2),
        ("coverage", "run", "run_tests", 3),
        ("coverage", "report", "run_tests", 4),
    ],
)
def test_a_failing_early_stage_deploys_nothing(checkout, tool, fails_on, stage, calls):
    checkout.tool(tool, fails_on)
    done = run(DAG_ID, conf=checkout.conf)
    assert done.of("failed") == {stage}
    assert done.of("upstream_failed") >= {"deploy_staging", "run_smoke_tests", "deploy_production"}
    assert checkout.calls == TOOL_CALLS[:calls]
    assert checkout.deployed == {}


@pytest.mark.parametrize(
    ("tool", "fails_on", "stage"), [("ruff", "format", "check_style"), ("coverage", "run", "run_tests")]
)
def test_unreviewed_code_sees_no_secret_of_the_worker(checkout, connect, monkeypatch, tool, fails_on, stage):
    connect("airflow_staging", "http", password="s3cret")
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY_CMD", "true")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "s3cret")
    checkout.tool(tool, fails_on)  # the last call is the one to look at
    assert run(DAG_ID, conf=checkout.conf).of("failed") == {stage}
    seen = checkout.environment
    own = {"PATH", "HOME", "PWD", "OLDPWD", "SHLVL", "_"}
    assert {name for name in seen if not name.startswith("AIRFLOW_CTX_")} <= own
    assert seen["HOME"] != os.environ["HOME"]
    assert not Path(seen["HOME"]).exists()


@pytest.mark.covers("P11.2")
def test_a_dag_that_does_not_load_is_not_deployed(checkout):
    (checkout.path / "dags" / "broken.py").write_text("import no_such_module  # airflow DAG")
    done = run(DAG_ID, conf=checkout.conf)
    assert done.of("failed") == {"validate_dags"}
    assert checkout.deployed == {}


@pytest.mark.parametrize(
    "conf",
    [
        {"commit": "main; rm -rf /"},
        {"staging_branch": "--mirror"},
        {"remote": "$(id)"},
        {"checkout": "/etc"},
        {"checkout": "../main"},
        {"checkout": ".."},
    ],
)
def test_what_is_no_commit_branch_or_work_tree_is_refused(conf):
    from airflow.sdk.exceptions import ParamValidationError

    with pytest.raises((ParamValidationError, ValueError)):
        run(DAG_ID, conf=conf)
