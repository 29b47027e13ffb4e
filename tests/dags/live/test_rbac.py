"""Teams see their own DAGs: the cluster policy, FAB roles and real tokens. And what a task's log shows."""

from __future__ import annotations

import json
import secrets
import urllib.error

import pytest
from tests.airflow.server import PASSWORD, USERNAME
from werkzeug import Response

SECRETS = "phase16_01_secrets_backend"
RIGHTS = "phase16_02_rbac_patterns"
GOVERNANCE = "phase17_03_governance_workflows"


def sees(live, token, path, method="GET", body=None):
    """The status of one call with a team's token."""
    try:
        live.call(method, path, body, token=token)
    except urllib.error.HTTPError as error:
        return error.code
    return 200


@pytest.fixture(scope="module")
def team_tokens(live):
    """A user of team ml and one of team data_engineering, each with the team's role only."""
    tokens = {}
    for team in ("ml", "data_engineering"):
        name, password = f"user_of_{team}", secrets.token_urlsafe(16)
        user = {"username": name, "password": password, "email": f"{name}@example.com"}
        user |= {"first_name": "A", "last_name": team, "roles": [{"name": team}]}
        live.call("POST", "/auth/fab/v1/users", user)
        tokens[team] = live.token(name, password)
    return tokens


@pytest.fixture(scope="module")
def team_dags(live):
    """One DAG out of each team's folder."""
    dags = live.call("GET", "/api/v2/dags?limit=100&tags=team:ml")["dags"]
    others = live.call("GET", "/api/v2/dags?limit=100&tags=team:data_engineering")["dags"]
    assert {dag["relative_fileloc"].split("/")[0] for dag in dags} == {"team_ml"}
    assert {dag["relative_fileloc"].split("/")[0] for dag in others} == {"team_data_engineering"}
    return {"ml": dags[0]["dag_id"], "data_engineering": others[0]["dag_id"]}


@pytest.mark.covers("P16.2")
@pytest.mark.parametrize(("team", "other"), [("ml", "data_engineering"), ("data_engineering", "ml")])
def test_a_team_reaches_its_own_dag_and_gets_403_on_another_teams(live, team_tokens, team_dags, team, other):
    token = team_tokens[team]
    own, foreign = (f"/api/v2/dags/{team_dags[name]}" for name in (team, other))
    assert sees(live, token, own) == 200
    assert sees(live, token, foreign) == 403
    assert sees(live, token, foreign, "PATCH", {"is_paused": False}) == 403
    run = {"logical_date": None, "conf": {}}
    assert sees(live, token, f"{foreign}/dagRuns", "POST", run) == 403
    # the same calls with rights do work: 403 is about the team
    assert sees(live, token, own, "PATCH", {"is_paused": True}) == 200
    assert sees(live, None, foreign) == 200


@pytest.mark.covers("P16.2")
def test_a_teams_list_holds_only_its_own_dags(live, team_tokens, team_dags):
    listed = live.call("GET", "/api/v2/dags?limit=100", token=team_tokens["ml"])["dags"]
    assert team_dags["ml"] in {dag["dag_id"] for dag in listed}
    assert {dag["relative_fileloc"].split("/")[0] for dag in listed} == {"team_ml"}


@pytest.mark.covers("P16.2")
def test_a_team_does_not_reach_what_is_not_per_team(live, team_tokens):
    paths = ("pools", "connections", "variables", "eventLogs")
    assert {path: sees(live, team_tokens["ml"], f"/api/v2/{path}") for path in paths} == dict.fromkeys(
        paths, 403
    )


@pytest.mark.covers("X-32")
def test_rights_come_from_the_policy_by_folder_and_pools_are_the_operators_alone(
    live, team_tokens, team_dags
):
    """FAB knows no prefixes, and pools are all or nothing: a team may read its DAGs and write no pool."""
    token = team_tokens["ml"]
    own, foreign = (f"/api/v2/dags/{team_dags[name]}" for name in ("ml", "data_engineering"))
    granted = live.call("GET", "/auth/fab/v1/roles/ml")["actions"]
    of_dags = {item["resource"]["name"] for item in granted if item["resource"]["name"].startswith("DAG:")}
    assert f"DAG:{team_dags['ml']}" in of_dags
    assert not [name for name in of_dags if "*" in name or "/" in name]
    assert (sees(live, token, own), sees(live, token, foreign)) == (200, 403)
    pool = {"name": "of_the_operator", "slots": 2}
    assert sees(live, token, "/api/v2/pools", "POST", pool) == 403
    live.call("POST", "/api/v2/pools", pool)
    try:
        mask = "/api/v2/pools/of_the_operator?update_mask=slots"
        assert sees(live, token, mask, "PATCH", {"name": "of_the_operator", "slots": 9}) == 403
        assert sees(live, token, "/api/v2/pools/of_the_operator", "DELETE") == 403
        assert live.call("GET", "/api/v2/pools/of_the_operator")["slots"] == 2
    finally:
        live.call("DELETE", "/api/v2/pools/of_the_operator")


@pytest.mark.covers("P16.1")
def test_the_log_file_shows_stars_where_a_service_echoed_the_key(live, httpserver):
    key = secrets.token_hex(12)

    def answer(request):
        refusal = {"error": "unknown key", "called_with": request.authorization.password}
        return Response(json.dumps(refusal), 401)

    httpserver.expect_request("/v1/quota").respond_with_handler(answer)
    connection = {"connection_id": "partner_api", "conn_type": "http", "login": "shop", "password": key}
    address = {"host": f"http://{httpserver.host}", "port": httpserver.port}
    live.call("POST", "/api/v2/connections", connection | address)
    try:
        run_id = live.trigger(SECRETS)
        assert live.wait(SECRETS, run_id) == "failed"
    finally:
        live.call("DELETE", "/api/v2/connections/partner_api")
    written = "".join(
        path.read_text() for path in live.server.directory.rglob("*.log") if f"dag_id={SECRETS}" in str(path)
    )
    assert "answer 401" in written
    assert '\\"called_with\\": \\"***\\"' in written
    assert key not in written


@pytest.fixture
def itself(live):
    """Connection `airflow_api` leads to this Airflow."""
    host, _, port = live.server.url.rpartition(":")
    connection = {
        "connection_id": "airflow_api",
        "conn_type": "http",
        "login": USERNAME,
        "password": PASSWORD,
    }
    live.call("POST", "/api/v2/connections", connection | {"host": host, "port": int(port)})
    yield
    live.call("DELETE", "/api/v2/connections/airflow_api")


@pytest.mark.covers("P16.2")
def test_what_the_policy_says_is_what_fab_grants(live, itself):
    run_id = live.trigger(RIGHTS)
    assert live.wait(RIGHTS, run_id) == "success"
    report = live.xcom(RIGHTS, run_id, "compare_access")
    assert report["deviations"] == 0
    assert report["teams"] == ["analytics", "data_engineering", "ml", "platform"]
    assert live.xcom(RIGHTS, run_id, "refuse_deviations") == report["dags"] > 50


def test_an_access_review_waits_until_a_person_approves(live, itself):
    run_id = live.trigger(GOVERNANCE, conf={"process": "access_review"})
    body = live.asked(GOVERNANCE, run_id, "approve_grants")["body"]
    assert "ml: " in body
    assert live.states(GOVERNANCE, run_id)["record_review"] is None
    live.answer(GOVERNANCE, run_id, "approve_grants", "Approve")
    assert live.wait(GOVERNANCE, run_id) == "success"
    assert live.xcom(GOVERNANCE, run_id, "record_review") == len(body.splitlines())
