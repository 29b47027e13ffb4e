"""What is done with a model, by its metrics."""

from __future__ import annotations

import pytest

from airflow_usecases import ml_decisions as ml

GOOD = {"accuracy": 0.95, "precision": 0.92, "recall": 0.89, "f1": 0.1}


def test_accuracy_precision_and_recall_must_all_reach_the_limit() -> None:
    assert ml.judge(GOOD) == {"passed": True, "failed": [], "least": 0.85}
    assert ml.judge(GOOD | {"recall": 0.85})["passed"]
    assert ml.judge(GOOD | {"recall": 0.5, "accuracy": 0.849})["failed"] == ["accuracy", "recall"]


@pytest.mark.parametrize(
    "uri", ["models:/churn@champion", "models:/7", "runs:/a/1", "models:/churn/Production"]
)
def test_only_a_registered_version_has_a_version(uri: str) -> None:
    assert ml.version_of("models:/churn-classifier/12") == "12"
    with pytest.raises(ValueError, match="no models:/<name>/<version>"):
        ml.version_of(uri)


@pytest.mark.parametrize(
    ("accuracy", "task"),
    [
        (1.0, "deploy_to_production"),
        (0.95, "deploy_to_production"),
        (0.949, "deploy_to_staging"),
        (0.85, "deploy_to_staging"),
        (0.849, "retrain_with_more_data"),
        (0.75, "retrain_with_more_data"),
        (0.749, "investigate_model"),
        (0.0, "investigate_model"),
    ],
)
def test_each_accuracy_has_one_deployment(accuracy: float, task: str) -> None:
    assert ml.deployment_for(accuracy) == task


@pytest.mark.parametrize(
    ("accuracy", "more"),
    [(0.9, {"high_performance_path"}), (0.89, set()), (0.8, set()), (0.79, {"low_performance_alert"})],
)
def test_metrics_are_always_logged(accuracy: float, more: set[str]) -> None:
    assert set(ml.monitoring_for(accuracy)) == {"log_metrics"} | more


@pytest.mark.parametrize(
    ("accuracy", "task"),
    [
        (0.95, "deploy_production"),
        (0.94, "deploy_staging"),
        (0.9, "deploy_staging"),
        (0.89, "trigger_retraining"),
    ],
)
def test_a_release_depends_on_the_configured_threshold(accuracy: float, task: str) -> None:
    assert ml.release_for(accuracy, 0.9) == task


@pytest.mark.covers("VR-4")
def test_the_configuration_has_these_defaults_and_no_others() -> None:
    assert ml.complete_config(None) == {
        "model_name": "churn-classifier",
        "accuracy_threshold": 0.85,
        "data_source": "s3://data/customers/",
        "n_estimators": 100,
        "max_depth": 10,
    }
    assert ml.complete_config({"max_depth": 3})["max_depth"] == 3
    with pytest.raises(ValueError, match="unknown max_dept"):
        ml.complete_config({"max_dept": 3})
    with pytest.raises(ValueError, match="accuracy_threshold 85 is no share"):
        ml.complete_config({"accuracy_threshold": 85})
