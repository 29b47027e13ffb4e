"""Each accuracy runs exactly its branches."""

from __future__ import annotations

import pytest
from tests.dags import library
from tests.dags.runner import run

DEPLOYMENTS = {"deploy_to_production", "deploy_to_staging", "retrain_with_more_data", "investigate_model"}
MONITORING = {"high_performance_path", "low_performance_alert", "log_metrics"}
ALWAYS = {"start", "evaluate_model", "choose_monitoring", "log_metrics", "end"}


@pytest.mark.covers("D002-7")
@pytest.mark.parametrize(
    ("accuracy", "chosen"),
    [
        (0.95, {"deploy_to_production", "high_performance_path"}),
        (0.94, {"deploy_to_staging", "high_performance_path"}),
        (0.91, {"deploy_to_staging", "high_performance_path"}),
        (0.85, {"deploy_to_staging"}),
        (0.84, {"retrain_with_more_data"}),
        (0.79, {"retrain_with_more_data", "low_performance_alert"}),
        (0.75, {"retrain_with_more_data", "low_performance_alert"}),
        (0.74, {"investigate_model", "low_performance_alert"}),
    ],
)
def test_exactly_these_branches_run_and_the_others_are_skipped(accuracy: float, chosen: set[str]) -> None:
    done = run("model_deployment_branching", conf={"accuracy": accuracy})
    assert done.state == "success"
    assert done.of("success") == ALWAYS | chosen
    assert done.of("skipped") == (DEPLOYMENTS | MONITORING) - chosen - {"log_metrics"}


@pytest.mark.covers("D002-7")
def test_the_join_and_the_schedule() -> None:
    dag = library.bag().dags["model_deployment_branching"]
    assert dag.schedule == "@daily"
    end = dag.get_task("end")
    assert end.trigger_rule == "none_failed_min_one_success"
    assert end.upstream_task_ids == DEPLOYMENTS | MONITORING
    assert dag.get_task("choose_monitoring").downstream_task_ids == MONITORING
