"""Splits, significance, decisions."""

from __future__ import annotations

import json
import math
import sys

import pytest

from airflow_usecases import experiments
from airflow_usecases.experiments import CONTROL, TREATMENT, Experiment

UNITS = [f"customer-{number}" for number in range(10_000)]


@pytest.mark.covers("P18.2")
@pytest.mark.parametrize("name", ["new_recommender", "blue_button", "free_shipping"])
@pytest.mark.parametrize("split", [0.1, 0.5, 0.9])
def test_ten_thousand_ids_split_within_one_percent(name, split):
    experiment = Experiment(name, split=split)
    share = sum(experiments.assign(experiment, unit) == TREATMENT for unit in UNITS) / len(UNITS)
    assert abs(share - split) <= 0.01


def test_an_assignment_never_changes():
    experiment = Experiment("blue_button")
    assert [experiments.assign(experiment, unit) for unit in ("a", "b", "c", "d")] == [
        experiments.assign(Experiment("blue_button"), unit) for unit in ("a", "b", "c", "d")
    ]
    assert 0 <= experiments.fraction("blue_button", "a") < 1


def test_two_experiments_split_independently():
    first, second = Experiment("first"), Experiment("second")
    both = sum(
        experiments.assign(first, unit) == experiments.assign(second, unit) == TREATMENT for unit in UNITS
    )
    assert abs(both / len(UNITS) - 0.25) <= 0.015


def test_parts_are_kept_apart():
    assert experiments.fraction("ab", "c") != experiments.fraction("a", "bc")


@pytest.mark.parametrize("split", [0, 1, -0.5, 2])
def test_a_split_that_is_none_is_refused(split):
    with pytest.raises(ValueError, match="split"):
        Experiment("x", split=split)


def test_the_z_test_agrees_with_a_worked_example():
    # 200 of 1000 against 250 of 1000: pooled 0.225, error 0.018675, z = 2.6774
    result = experiments.analyse({"units": 1000, "conversions": 200}, {"units": 1000, "conversions": 250})
    assert result["z"] == pytest.approx(2.6774, abs=1e-3)
    assert result["p_value"] == pytest.approx(0.00742, abs=1e-4)
    assert result["lift"] == pytest.approx(0.05)


@pytest.mark.parametrize("z", [0, 0.5, -1.96, 3.3, 8])
def test_scipy_and_the_fallback_agree(z):
    assert experiments.two_sided_p(z) == pytest.approx(experiments.two_sided_p(z, use_scipy=False), rel=1e-9)


def test_without_scipy_the_fallback_is_used(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.stats", None)
    assert experiments.two_sided_p(1.96) == math.erfc(1.96 / math.sqrt(2))


def test_a_variant_without_units_cannot_be_analysed():
    with pytest.raises(ValueError, match="no units"):
        experiments.analyse({"units": 0, "conversions": 0}, {"units": 1, "conversions": 1})


def test_no_conversion_at_all_is_no_difference():
    result = experiments.analyse({"units": 9, "conversions": 0}, {"units": 9, "conversions": 0})
    assert (result["z"], result["p_value"]) == (0, 1)


def counts(control, treatment, units=5000):
    return {
        CONTROL: {"units": units, "conversions": control},
        TREATMENT: {"units": units, "conversions": treatment},
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (counts(500, 700), TREATMENT),
        (counts(700, 500), CONTROL),
        (counts(500, 505), None),
        (counts(0, 400, units=499), None),  # clear, but fewer than the smallest number of units
    ],
)
def test_the_winner_is_better_beyond_chance_and_measured_on_enough_units(given, expected):
    result = experiments.analyse(given[CONTROL], given[TREATMENT])
    assert experiments.winner(Experiment("x"), given, result) == expected


@pytest.mark.parametrize(("units", "fails"), [(5200, True), (5099, False), (4800, True)])
def test_a_split_that_lost_units_fails(units, fails):
    given = {
        TREATMENT: {"units": units, "conversions": 0},
        CONTROL: {"units": 10_000 - units, "conversions": 0},
    }
    if fails:
        with pytest.raises(ValueError, match=r"50\.00% should"):
            experiments.check_split(Experiment("x"), given)
    else:
        assert experiments.check_split(Experiment("x"), given) == units / 10_000


def test_a_flag_leaves_the_others(tmp_path):
    path = tmp_path / "flags.json"
    experiments.set_flag(path, "a", TREATMENT)
    experiments.set_flag(path, "b", CONTROL)
    assert json.loads(path.read_text()) == {"a": TREATMENT, "b": CONTROL}
