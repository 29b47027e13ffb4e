"""Rows, a line through them, and the decision about it."""

from __future__ import annotations

import json

import pytest

from airflow_usecases.rent_model import (
    FLATS,
    RentModel,
    decide,
    evaluate,
    model_files,
    read_flats,
    split,
    train,
    write_flats,
)

LINE = [{"flat": str(area), "area": float(area), "rent": 200.0 + 20 * area} for area in range(30, 70, 5)]


def test_rows_come_back_from_csv_as_they_were():
    assert read_flats(write_flats(FLATS)) == (
        [{**flat, "area": float(flat["area"]), "rent": float(flat["rent"])} for flat in FLATS],
        0,
    )


@pytest.mark.parametrize("bad", ["F-x,,900", "F-x,abc,900", "F-x,0,900", "F-x,50,-1"])
def test_an_invalid_row_is_left_out_and_counted(bad):
    valid, invalid = read_flats(write_flats(FLATS) + bad + "\n")
    assert (len(valid), invalid) == (len(FLATS), 1)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("flat,area\nF-1,30\n", "columns are missing: rent"),
        ("", "columns are missing: flat, area, rent"),
        ("flat,area,rent\n", "0 of 0 rows"),
        ("flat,area,rent\nF-1,30,900\nF-2,,900\n", "1 of 2 rows"),
    ],
)
def test_a_file_that_is_not_good_enough_is_refused(text, reason):
    with pytest.raises(ValueError, match=reason):
        read_flats(text)


def test_every_fourth_row_is_kept_back():
    training, kept_back = split(FLATS)
    assert [flat["flat"] for flat in kept_back] == ["F-4", "F-8", "F-12"]
    assert len(training) == 9
    assert split(FLATS) == (training, kept_back)


def test_a_line_is_found_and_predicts_exactly():
    model = train(LINE)
    assert (model.base, model.per_area) == (pytest.approx(200), pytest.approx(20))
    assert model.predict(100) == pytest.approx(2200)
    assert evaluate(model, LINE) == {"r2": pytest.approx(1), "mean_error": pytest.approx(0, abs=1e-9)}


def test_a_line_through_the_origin_has_no_base():
    model = train(LINE, through_origin=True)
    assert model.base == 0
    assert evaluate(model, LINE)["r2"] < evaluate(train(LINE), LINE)["r2"]


def test_the_mean_explains_nothing():
    mean = sum(flat["rent"] for flat in LINE) / len(LINE)
    assert evaluate(RentModel(base=mean, per_area=0), LINE)["r2"] == pytest.approx(0)


def test_one_rent_is_too_few_for_an_evaluation():
    with pytest.raises(ValueError, match="two different rents"):
        evaluate(RentModel(0, 1), LINE[:1])


@pytest.mark.parametrize(
    ("r2", "deployed", "yes"),
    [(0.79, None, False), (0.8, None, True), (0.9, 0.95, False), (0.95, 0.95, True), (0.7, 0.5, False)],
)
def test_a_model_is_deployed_when_it_is_good_and_not_worse_than_before(r2, deployed, yes):
    before = None if deployed is None else {"r2": deployed, "mean_error": 1.0}
    found, reason = decide({"r2": r2, "mean_error": 1.0}, 0.8, before)
    assert found is yes
    assert f"{r2:.3f}" in reason


def test_the_model_file_declares_its_signature():
    files = model_files(RentModel(1, 2), "r")
    assert files["model.json"] == {"base": 1, "per_area": 2}
    inputs = json.loads(files["MLmodel"]["signature"]["inputs"])
    assert [column["name"] for column in inputs] == ["area"]
