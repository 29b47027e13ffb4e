"""The steps of the training pipelines."""

from __future__ import annotations

import pytest

from airflow_usecases import ml_training


def test_an_extract_is_metadata_below_the_root() -> None:
    assert ml_training.extract_source("customer_data", "s3://lake/") == {
        "source": "customer_data",
        "path": "s3://lake/customer_data.parquet",
        "rows": 1000,
    }
    with pytest.raises(KeyError):
        ml_training.extract_source("weather", "/data")


def test_cleaning_drops_one_in_a_hundred_and_the_other_steps_none() -> None:
    assert [ml_training.rows_after(step, 6200) for step in ml_training.STEPS] == [6138, 6200, 6200]
    with pytest.raises(ValueError, match="unknown step 'wash'; known: clean, normalize, feature_engineering"):
        ml_training.rows_after("wash", 1)


def test_a_model_passes_from_the_least_accuracy_on() -> None:
    trained = ml_training.train("random_forest")
    assert trained == {"model": "random_forest", "accuracy": 0.92}
    assert ml_training.passes(trained, 0.92)
    assert not ml_training.passes(trained, 0.93)
    with pytest.raises(ValueError, match="unknown model 'oracle'"):
        ml_training.train("oracle")
