"""Params of generated DAGs, checked by the real API server."""

from __future__ import annotations

import urllib.error

import pytest

DAGS = ["acme_usage_report", "phase15_03_dynamic_dag_patterns"]


@pytest.mark.covers("P15.3")
@pytest.mark.parametrize("dag_id", DAGS)
@pytest.mark.parametrize("month", ["2026-13", "last month", 202610])
def test_a_bad_param_is_refused_with_400_and_makes_no_run(live, dag_id, month):
    run_id = f"bad-{month}"
    body = {"dag_run_id": run_id, "logical_date": None, "conf": {"month": month}}
    with pytest.raises(urllib.error.HTTPError) as refused:
        live.call("POST", f"/api/v2/dags/{dag_id}/dagRuns", body)
    with refused.value as answer:  # it holds the connection
        assert answer.code == 400
        assert "month" in answer.read().decode()
    assert run_id not in {run["dag_run_id"] for run in live.runs(dag_id)}


@pytest.mark.covers("P15.3")
def test_a_good_param_starts_the_tenants_own_dag_in_its_own_pool(live):
    run_id = live.trigger("acme_usage_report", conf={"month": "2026-09"})
    assert live.wait("acme_usage_report", run_id) == "success"
    assert live.xcom("acme_usage_report", run_id, "deliver_invoice") == "acme/2026-09"
    assert {task["pool"] for task in live.tasks("acme_usage_report", run_id)} == {"tenant_acme"}
