"""Drift, a challenger, and its four ends."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from tests.dags.library import bag
from tests.dags.runner import run

DAG_ID = "phase18_03_auto_retraining"
TRAINING = {"train_challenger", "validate_challenger", "choose_model"}
RELEASE = {"register_challenger", "stage_shadow", "run_canary", "judge_canary"}
ALWAYS = {"collect_ground_truth", "detect_drift"}
ENDS = {"keep_champion", "alert_bias", "promote_challenger", "roll_back", "alert_rollback"}
ALL = ALWAYS | TRAINING | RELEASE | ENDS


@pytest.fixture(autouse=True)
def folder(variable, tmp_path):
    variable("platform_retraining_folder", str(tmp_path))
    return tmp_path


def registry(folder):
    return json.loads((folder / "registry.json").read_text())["churn"]


def traffic(folder):
    return json.loads((folder / "serving.json").read_text())["churn"]


def assert_ran(done, expected):
    assert done.of("success") == expected
    assert done.of("skipped") == ALL - expected
    assert done.state == "success"


@pytest.mark.covers("P18.3")
def test_without_drift_everything_after_the_detection_is_skipped(folder):
    assert_ran(run(DAG_ID, conf={"psi": 0.05}), ALWAYS)
    assert registry(folder)["aliases"] == {"champion": "1"}


@pytest.mark.covers("P18.3")
def test_a_better_challenger_is_promoted(folder):
    done = run(DAG_ID, conf={"psi": 0.3, "true_boundary": 0.65})
    assert_ran(done, ALWAYS | TRAINING | RELEASE | {"promote_challenger"})
    assert registry(folder)["aliases"] == {"champion": "2"}
    assert registry(folder)["versions"][1]["boundary"] == pytest.approx(0.65, abs=0.02)
    assert traffic(folder) == {"2": 100}
    comparison = done.xcom("validate_challenger")
    assert comparison["challenger"] > comparison["champion"] + 0.1


@pytest.mark.covers("P18.3")
def test_a_worse_challenger_leaves_the_champion_alone(folder):
    done = run(DAG_ID, conf={"psi": 0.3, "noise": 0.5})
    assert_ran(done, ALWAYS | TRAINING | {"keep_champion"})
    assert done.xcom("keep_champion") == "1"
    assert registry(folder)["aliases"] == {"champion": "1"}
    assert len(registry(folder)["versions"]) == 1
    assert traffic(folder) == {"1": 100}


@pytest.mark.covers("P18.3")
def test_a_canary_with_errors_is_rolled_back_and_people_are_told(folder, caplog):
    done = run(DAG_ID, conf={"psi": 0.3, "true_boundary": 0.65, "canary_errors": 50})
    assert_ran(done, ALWAYS | TRAINING | RELEASE | {"roll_back", "alert_rollback"})
    assert registry(folder)["aliases"] == {"champion": "1"}
    assert traffic(folder) == {"1": 100}
    assert done.xcom("alert_rollback") == {"model": "churn", "champion": "1", "error_rate": 0.05}
    assert "50 of 1000 canary requests failed" in caplog.text


def test_a_model_that_lost_accuracy_is_drift_too(folder):
    done = run(DAG_ID, conf={"psi": 0.0, "true_boundary": 0.65})
    assert done.xcom("detect_drift") == "model"
    assert registry(folder)["aliases"] == {"champion": "2"}


def test_a_challenger_that_is_worse_for_one_group_raises_the_bias_alert(folder):
    done = run(DAG_ID, conf={"psi": 0.3, "true_boundary": 0.65, "disadvantage": 0.3})
    assert_ran(done, ALWAYS | TRAINING | {"alert_bias"})
    assert done.xcom("alert_bias") > 0.1
    assert registry(folder)["aliases"] == {"champion": "1"}


@pytest.mark.covers("P18.3")
def test_the_drift_asset_starts_the_dag():
    condition = bag().dags[DAG_ID].timetable.asset_condition
    assert [asset.uri for asset in condition.objects] == ["x-drift://churn/score"]


@pytest.mark.covers("P18.3")
def test_the_score_comes_from_the_event_that_started_the_run_and_by_hand_from_the_param():
    read = bag().dags[DAG_ID].get_task("detect_drift").python_callable.__globals__["_psi"]
    event = SimpleNamespace(extra={"psi": 0.31})
    assert read({"triggering_asset_events": {"model_drift": [event]}, "params": {"psi": 0.0}}) == 0.31
    assert read({"triggering_asset_events": {}, "params": {"psi": 0.07}}) == 0.07
