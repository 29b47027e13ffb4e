"""The small model learns what is there, the same each time."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from airflow_usecases import churn_model

ROWS = [
    {"tenure": str(n % 10), "monthly_charges": str(n % 7), "churn": str(int(n % 10 < 5))} for n in range(70)
]


def test_it_separates_what_can_be_separated():
    model = churn_model.train(ROWS)
    assert churn_model.accuracy(model, ROWS) == 1.0
    assert model.weights["tenure"] < -1
    assert abs(model.weights["monthly_charges"]) < abs(model.weights["tenure"]) / 3


def test_the_same_data_gives_the_same_model_and_a_stored_one_is_the_same(tmp_path):
    model = churn_model.train(ROWS)
    assert churn_model.train(ROWS) == model
    model.save(tmp_path / "m" / "model.json")
    assert churn_model.Model.load(tmp_path / "m" / "model.json") == model


def test_each_fifth_row_is_for_judging():
    train, judge = churn_model.split(ROWS)
    assert (len(train), len(judge)) == (56, 14)
    assert judge[1] is ROWS[5]


def test_a_constant_feature_does_no_harm():
    rows = [row | {"monthly_charges": "5"} for row in ROWS]
    assert churn_model.accuracy(churn_model.train(rows), rows) == 1.0


def test_customers_of_one_kind_only_cannot_be_learned_from():
    with pytest.raises(ValueError, match="who left and customers who stayed"):
        churn_model.train([row for row in ROWS if row["churn"] == "1"])


def test_without_rows_there_is_no_accuracy():
    with pytest.raises(ValueError, match="no rows"):
        churn_model.accuracy(churn_model.train(ROWS), [])


def test_the_newest_event_that_names_a_path_says_where_the_model_is():
    events = [
        SimpleNamespace(timestamp=2, extra={"path": "/models/new.json"}),
        SimpleNamespace(timestamp=1, extra={"path": "/models/old.json"}),
        SimpleNamespace(timestamp=3, extra={}),
    ]
    assert churn_model.published(events, "/models/default.json") == Path("/models/new.json")
    assert churn_model.published(events[2:], "/models/default.json") == Path("/models/default.json")
    assert churn_model.published([], "/models/default.json") == Path("/models/default.json")
