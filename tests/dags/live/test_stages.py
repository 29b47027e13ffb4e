"""DAGs that start, wait for, or look at other DAGs."""

from __future__ import annotations

import pytest
from tests.airflow.server import PASSWORD, USERNAME

from airflow_usecases.airflow_rest import AirflowRest
from airflow_usecases.idle_dags import active_dags, pause


@pytest.mark.covers("D000-10")
def test_stage_1_starts_one_run_of_stage_2_with_its_results_and_ends_after_it(live):
    live.unpause("etl_stage2")
    before = {run["dag_run_id"] for run in live.runs("etl_stage2")}
    run_id = live.trigger("etl_stage1")
    assert live.wait("etl_stage1", run_id) == "success"

    (stage2,) = [run for run in live.runs("etl_stage2") if run["dag_run_id"] not in before]
    assert stage2["dag_run_id"] == f"stage1__{run_id}"
    assert stage2["state"] == "success"
    assert stage2["conf"]["files"] == ["A.TXT", "B.TXT"]
    assert stage2["conf"]["checksums"] == live.xcom("etl_stage1", run_id, "checksum_chunks")
    assert live.xcom("etl_stage2", stage2["dag_run_id"], "publish_files") == 2


@pytest.mark.covers("D000-12")
def test_the_audit_reads_the_real_api_and_pauses_a_dag_by_it(live):
    import requests

    with requests.Session() as session:
        api = AirflowRest.login(live.server.url, session, USERNAME, PASSWORD)
        live.unpause("conditional_branching")
        found = {dag.dag_id: dag for dag in active_dags(api)}
        assert {"platform", "patterns", "branching"} <= found["conditional_branching"].tags
        assert found["conditional_branching"].first_seen.tzinfo is not None
        assert "platform_alert_test" not in found  # paused, as every DAG that no test has started
        pause(api, "conditional_branching")
        assert "conditional_branching" not in {dag.dag_id for dag in active_dags(api)}
