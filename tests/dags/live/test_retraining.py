"""The drift event starts the retraining, and its score counts."""

from __future__ import annotations

import json

import pytest

DAG_ID = "phase18_03_auto_retraining"
VARIABLE = "platform_retraining_folder"


@pytest.fixture
def folder(live):
    place = live.directory / "retraining"
    live.call("POST", "/api/v2/variables", {"key": VARIABLE, "value": str(place)})
    yield place
    live.call("DELETE", f"/api/v2/variables/{VARIABLE}")
    live.pause(DAG_ID)


@pytest.mark.covers("P18.3")
def test_the_drift_event_starts_a_run_which_trains_because_of_the_score_in_it(live, folder):
    live.unpause(DAG_ID)
    assert live.runs(DAG_ID) == []
    found = live.call("GET", "/api/v2/assets?name_pattern=model_drift&only_active=true")["assets"]
    [asset_id] = [asset["id"] for asset in found if asset["name"] == "model_drift"]
    live.call("POST", "/api/v2/assets/events", {"asset_id": asset_id, "extra": {"psi": 0.31}})
    [run] = live.until(lambda: live.runs(DAG_ID))
    assert (run["run_type"], run["logical_date"]) == ("asset_triggered", None)
    run_id = run["dag_run_id"]
    assert live.wait(DAG_ID, run_id) == "success"
    # without the event's score the param's 0 would have skipped everything after the detection
    assert live.xcom(DAG_ID, run_id, "detect_drift") == "data"
    states = live.states(DAG_ID, run_id)
    assert {task for task, state in states.items() if state == "success"} == {
        "collect_ground_truth",
        "detect_drift",
        "train_challenger",
        "validate_challenger",
        "choose_model",
        "keep_champion",
    }
    assert {state for state in states.values() if state != "success"} == {"skipped"}
    registry = json.loads((folder / "registry.json").read_text())["churn"]
    assert registry["aliases"] == {"champion": "1"}
