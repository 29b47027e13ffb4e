"""A planted effect is found and rolled out; without one nothing changes."""

from __future__ import annotations

import json

import pytest
from tests.dags.runner import run

DAG_ID = "phase18_02_ab_testing"
ACTIONS = {"roll_out_treatment", "roll_out_control", "keep_both"}


@pytest.fixture(autouse=True)
def flags(variable, tmp_path):
    path = tmp_path / "flags.json"
    variable("platform_experiment_flags", str(path))
    return path


def actions(done):
    return {name for name in ACTIONS if done.states[name] == "success"}


@pytest.mark.covers("P18.2")
def test_a_planted_effect_rolls_out_the_treatment(flags):
    done = run(DAG_ID, conf={"effect": 0.05})
    assert done.state == "success"
    assert actions(done) == {"roll_out_treatment"}
    assert done.of("skipped") == ACTIONS - {"roll_out_treatment"}
    assert json.loads(flags.read_text()) == {"new_recommender": "treatment"}
    assert done.xcom("analyse_result")["p_value"] < 0.01
    assert done.xcom("report_result")["lift"] == pytest.approx(0.05, abs=0.02)


@pytest.mark.covers("P18.2")
def test_without_an_effect_nothing_is_rolled_out(flags):
    done = run(DAG_ID, conf={"effect": 0})
    assert done.state == "success"
    assert actions(done) == {"keep_both"}
    assert done.of("skipped") == ACTIONS - {"keep_both"}
    assert not flags.exists()
    assert done.xcom("analyse_result")["p_value"] >= 0.01


def test_a_harmful_treatment_rolls_out_control(flags):
    done = run(DAG_ID, conf={"effect": -0.05})
    assert actions(done) == {"roll_out_control"}
    assert json.loads(flags.read_text()) == {"new_recommender": "control"}


@pytest.mark.covers("P18.2")
def test_the_split_of_ten_thousand_customers_is_within_one_percent():
    done = run(DAG_ID, conf={"units": 10_000})
    counts = done.xcom("count_outcomes")
    assert counts["control"]["units"] + counts["treatment"]["units"] == 10_000
    assert 4_900 <= counts["treatment"]["units"] <= 5_100
    assert done.xcom("check_split") == counts["treatment"]["units"] / 10_000
