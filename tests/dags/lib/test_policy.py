"""A DAG belongs to the team in whose folder it lies."""

from __future__ import annotations

import json

import pytest
from airflow.exceptions import AirflowClusterPolicyViolation
from airflow.sdk import DAG

from tenant_airflow_lib.policy import RULES_VARIABLE, dag_policy, parse_rules, rule_for

RULES = [
    {"team": "payments", "path": "/bundles/payments", "prefix": "pay_", "readers": ["audit"]},
    {"team": "ml", "path": "team_ml/"},
    {"team": "platform", "path": "platform/patterns"},
]
OWN = {"DAGs": {"can_read", "can_edit"}, "DAG Runs": {"can_read", "can_create"}}
LOOK = {"DAGs": {"can_read"}, "DAG Runs": {"can_read"}}


def a_dag(file, dag_id="pay_daily"):
    dag = DAG(dag_id, schedule=None)
    dag.fileloc = file
    return dag


@pytest.fixture
def rules(monkeypatch):
    monkeypatch.setenv(RULES_VARIABLE, json.dumps(RULES))


@pytest.mark.covers("P16.2")
@pytest.mark.parametrize(
    ("file", "access"),
    [
        ("/bundles/payments/daily.py", {"payments": OWN, "audit": LOOK}),
        ("/dags/team_ml/training/churn.py", {"ml": OWN}),
        ("/bundles/git/versions/4f2a/team_ml/churn.py", {"ml": OWN}),
        ("/dags/platform/patterns/skip.py", {"platform": OWN}),
    ],
)
def test_the_policy_gives_a_dag_to_its_team(rules, file, access):
    dag = a_dag(file)
    dag_policy(dag)
    assert dag.access_control == access
    assert f"team:{next(iter(access.keys() - {'audit'}))}" in dag.tags


@pytest.mark.covers("P16.2")
def test_what_an_author_wrote_is_replaced(rules, caplog):
    dag = a_dag("/dags/team_ml/x.py")
    dag.access_control = {"Viewer": {"DAGs": {"can_edit"}}}
    dag_policy(dag)
    assert dag.access_control == {"ml": OWN}
    assert "access_control of the DAG file is replaced" in caplog.text


@pytest.mark.covers("P16.2")
@pytest.mark.parametrize("file", ["/dags/other/x.py", "/dags/team_mlops/x.py", "/dags/platform/x.py"])
def test_a_dag_without_a_team_is_refused(rules, file):
    with pytest.raises(AirflowClusterPolicyViolation, match="belongs to no team"):
        dag_policy(a_dag(file))


@pytest.mark.covers("P16.2")
def test_a_dag_must_carry_its_teams_prefix(rules):
    with pytest.raises(AirflowClusterPolicyViolation, match="payments start with 'pay_'"):
        dag_policy(a_dag("/bundles/payments/x.py", dag_id="ml_x"))


@pytest.mark.parametrize("text", [None, "", " "])
def test_without_rules_nothing_changes(monkeypatch, text):
    if text is None:
        monkeypatch.delenv(RULES_VARIABLE, raising=False)
    else:
        monkeypatch.setenv(RULES_VARIABLE, text)
    dag = a_dag("/dags/x.py")
    dag_policy(dag)
    assert dag.access_control is None
    assert not dag.tags


def test_an_absolute_folder_is_the_bundles_and_an_empty_one_is_every_file():
    rules = parse_rules(json.dumps([{"team": "a", "path": "/bundles/a"}, {"team": "rest"}]))
    owners = {
        file: rule_for(file, rules).team
        for file in ("/bundles/a/x.py", "/bundles/ab/x.py", "/c/bundles/a/x.py")
    }
    assert owners == {"/bundles/a/x.py": "a", "/bundles/ab/x.py": "rest", "/c/bundles/a/x.py": "rest"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"team": "a"}', "must be a list"),
        ('[{"team": "a"}, {"path": "x"}]', "rule 1 of TENANT_DAG_TEAMS names no team"),
        ('[{"team": "a", "folder": "x"}]', "unknown keys: folder"),
        ('["a"]', "rule 0"),
    ],
)
def test_faulty_rules_are_named(text, message):
    with pytest.raises(ValueError, match=message):
        parse_rules(text)
