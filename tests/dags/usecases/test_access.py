"""Rights in FAB against the rules."""

from __future__ import annotations

from airflow_usecases.access import Deviation, deviations, expected, granted


def role(name, *pairs):
    actions = [{"action": {"name": action}, "resource": {"name": resource}} for action, resource in pairs]
    return {"name": name, "actions": actions}


OWN = {"DAGs": {"can_read", "can_edit"}, "DAG Runs": {"can_read"}}
FILES = {"ml_train": "/dags/team_ml/t.py", "sales": "/dags/team_analytics/s.py", "loose": "/dags/l.py"}


def owner(file):
    return {"/dags/team_ml/t.py": {"ml": OWN}, "/dags/team_analytics/s.py": {"analytics": OWN}}.get(file)


def rights(*roles):
    return granted(roles, trusted=["Admin"])


ML = role("ml", ("can_read", "DAG:ml_train"), ("can_edit", "DAG:ml_train"), ("can_read", "DAG Run:ml_train"))
ANALYTICS = role("analytics", ("can_read", "DAG:sales"), ("can_edit", "DAG:sales"), ("can_read", "Website"))


def test_rights_that_follow_the_rules_are_no_deviation():
    assert (
        deviations(expected(FILES, owner), rights(ML, ANALYTICS, role("Admin", ("can_edit", "DAGs")))) == []
    )


def test_a_right_given_by_hand_is_found():
    nosy = role(
        "analytics", ("can_read", "DAG:ml_train"), ("can_read", "DAG:sales"), ("can_edit", "DAG:sales")
    )
    assert deviations(expected(FILES, owner), rights(ML, nosy)) == [
        Deviation("unexpected", "ml_train", "analytics", "can_read")
    ]


def test_a_right_on_all_dags_is_found_as_a_star():
    found = deviations(expected(FILES, owner), rights(ML, ANALYTICS, role("interns", ("can_read", "DAGs"))))
    assert found == [Deviation("unexpected", "*", "interns", "can_read")]


def test_a_missing_right_is_found():
    blind = role("ml", ("can_read", "DAG:ml_train"))
    assert deviations(expected(FILES, owner), rights(blind, ANALYTICS)) == [
        Deviation("missing", "ml_train", "ml", "can_edit")
    ]
