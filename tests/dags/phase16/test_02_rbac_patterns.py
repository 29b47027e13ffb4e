"""The nightly look at who may do what."""

from __future__ import annotations

import json

import pytest
from tests.dags.runner import run

from tenant_airflow_lib.policy import RULES_VARIABLE

DAG_ID = "phase16_02_rbac_patterns"


def role(name, *pairs):
    actions = [{"action": {"name": action}, "resource": {"name": resource}} for action, resource in pairs]
    return {"name": name, "actions": actions}


@pytest.fixture
def fab(airflow_stub, monkeypatch):
    """Two teams with one DAG each, more than one page of DAGs, rights as the rules say."""
    monkeypatch.setenv(
        RULES_VARIABLE, json.dumps([{"team": "ml", "path": "team_ml/"}, {"team": "analytics", "path": ""}])
    )
    dags = [{"dag_id": f"dag_{number}", "fileloc": f"/dags/{number}.py"} for number in range(120)]
    dags.append({"dag_id": "ml_train", "fileloc": "/dags/team_ml/train.py"})
    both = [(action, f"DAG:dag_{number}") for number in range(120) for action in ("can_read", "can_edit")]
    airflow_stub.lists = {
        "/api/v2/dags": ("dags", dags),
        "/auth/fab/v1/roles": (
            "roles",
            [
                role("Admin", ("can_edit", "DAGs")),
                role("analytics", *both),
                role("ml", ("can_read", "DAG:ml_train"), ("can_edit", "DAG:ml_train")),
            ],
        ),
    }
    return airflow_stub


def test_rights_as_the_rules_say(fab):
    done = run(DAG_ID)
    assert done.state == "success"
    assert done.xcom("compare_access") == {
        "dags": 121,
        "teams": ["analytics", "ml"],
        "deviations": 0,
        "shown": [],
    }
    assert done.xcom("refuse_deviations") == 121


def test_a_right_given_by_hand_fails_the_run_and_is_named(fab):
    fab.lists["/auth/fab/v1/roles"][1].append(
        role("interns", ("can_read", "DAG:ml_train"), ("can_read", "DAGs"))
    )
    done = run(DAG_ID)
    assert done.states == {"compare_access": "success", "refuse_deviations": "failed"}
    assert done.xcom("compare_access")["shown"] == [
        ["unexpected", "*", "interns", "can_read"],
        ["unexpected", "ml_train", "interns", "can_read"],
    ]


def test_without_rules_the_comparison_fails_at_once(fab, monkeypatch):
    monkeypatch.delenv(RULES_VARIABLE)
    done = run(DAG_ID)
    assert done.states["compare_access"] == "failed"
    assert done.tries("compare_access") == 1
    assert fab.seen == []
