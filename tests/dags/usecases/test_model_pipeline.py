"""The steps of the small training pipeline."""

from __future__ import annotations

import pytest

from airflow_usecases import model_pipeline


def test_a_pipeline_without_features_is_refused():
    with pytest.raises(ValueError, match="no features for s3://data/"):
        model_pipeline.load_data("s3://data/", [])


def test_a_model_that_is_too_bad_is_not_deployed():
    with pytest.raises(ValueError, match=r"accuracy of 0\.40"):
        model_pipeline.deploy_model({"model": "m", "accuracy": 0.4})


def test_a_trained_model_is_better_than_chance():
    dataset = model_pipeline.preprocess(model_pipeline.load_data("s3://data/", ["a", "bb", "ccc"]))
    trained = model_pipeline.train_model(dataset, "m")
    assert model_pipeline.evaluate_model(trained)["accuracy"] > 0.7


def test_a_good_model_is_deployed():
    deployed = model_pipeline.deploy_model({"model": "m", "accuracy": 0.5})
    assert deployed == {"model": "m", "version": "candidate", "accuracy": 0.5}


def test_a_feature_that_is_always_the_same_divides_nothing_by_0():
    rows = {"source": "s", "features": ["a"], "rows": 1, "means": [], "deviations": []}
    assert model_pipeline.preprocess(rows)["deviations"] == [1.0]
