"""Drift, training, comparison, canary, and the two file ports."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from airflow_usecases import retraining
from airflow_usecases.retraining import FileRegistry, FileServing, Limits

LIMITS = Limits()


@pytest.mark.parametrize(
    ("psi", "champion", "kind"),
    [(0.19, 0.96, None), (0.2, 0.99, "data"), (0.0, 0.94, "model"), (0.0, 0.96, None), (0.5, 0.5, "data")],
)
def test_drift_is_of_the_data_or_of_the_model(psi, champion, kind):
    assert retraining.drift_kind(psi, champion, 1.0, LIMITS) == kind


def test_the_same_ground_truth_comes_every_time_and_has_both_groups_in_both_halves():
    examples = retraining.ground_truth(100, 0.6)
    assert examples == retraining.ground_truth(100, 0.6)
    assert (
        {item["group"] for item in examples[::2]} == {item["group"] for item in examples[1::2]} == {"a", "b"}
    )


@pytest.mark.parametrize("boundary", [0.2, 0.5, 0.8])
def test_training_finds_the_boundary(boundary):
    assert retraining.train(retraining.ground_truth(1000, boundary)) == pytest.approx(boundary, abs=0.02)


def test_examples_survive_their_file(tmp_path):
    examples = retraining.ground_truth(10, 0.5)
    assert retraining.load_examples(retraining.save_examples(tmp_path / "x" / "y.json", examples)) == examples


def test_nothing_cannot_be_measured():
    with pytest.raises(ValueError, match="no examples"):
        retraining.accuracy(0.5, [])


@pytest.mark.parametrize(
    ("challenger", "disadvantage", "verdict"),
    [(0.65, 0.0, "better"), (0.5, 0.0, "worse"), (0.505, 0.0, "worse"), (0.65, 0.3, "biased")],
)
def test_a_challenger_must_be_better_by_a_margin_and_for_everybody(challenger, disadvantage, verdict):
    examples = retraining.ground_truth(2000, 0.65, disadvantage=disadvantage)
    assert retraining.compare(0.5, challenger, examples, LIMITS)["verdict"] == verdict


@pytest.mark.parametrize(("errors", "healthy"), [(0, True), (20, True), (21, False)])
def test_a_canary_may_fail_in_two_percent(errors, healthy):
    assert retraining.canary_healthy(1000, errors, LIMITS) is healthy


def test_a_canary_without_requests_says_nothing():
    with pytest.raises(ValueError, match="no request"):
        retraining.canary_healthy(0, 0, LIMITS)


@pytest.mark.covers("P18.3")
@pytest.mark.parametrize(
    ("events", "score"),
    [
        ({"model_drift": [SimpleNamespace(extra={"psi": 0.31})]}, 0.31),
        ({"model_drift": [SimpleNamespace(extra={"psi": 0.9}), SimpleNamespace(extra={"psi": 0.2})]}, 0.2),
        ({}, 0.07),
        (None, 0.07),
    ],
)
def test_the_score_comes_from_the_newest_event_and_by_hand_from_the_param(events, score):
    context = {"triggering_asset_events": events, "params": {"psi": 0.07}}
    assert retraining.drift_score(context) == score


def test_the_file_registry_refuses_versions_that_are_not_there(tmp_path):
    registry = FileRegistry(tmp_path / "registry.json")
    registry.register("churn", {"boundary": 0.5}, run="1")
    for version in ("0", "-1", "2"):
        with pytest.raises(KeyError, match="no version"):
            registry.parameters_of("churn", version)


def test_shares_of_traffic_are_100_together(tmp_path):
    serving = FileServing(tmp_path / "serving.json")
    serving.split_traffic("churn", {"1": 90, "2": 10})
    assert serving.shares("churn") == {"1": 90, "2": 10}
    with pytest.raises(ValueError, match="not 100"):
        serving.split_traffic("churn", {"1": 90})
    assert serving.shares("churn") == {"1": 90, "2": 10}
