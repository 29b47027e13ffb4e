"""Profile, PSI and KS against known values and against scipy."""

from __future__ import annotations

import math
import random

import pytest
import scipy.stats

from airflow_usecases import drift


def test_a_profile_has_the_figures_of_the_column():
    assert drift.profile([4.0, None, 1.0, 2.0, 3.0]) == {
        "count": 5,
        "nulls": 1,
        "mean": 2.5,
        "stdev": pytest.approx(math.sqrt(5 / 3)),
        "min": 1.0,
        "p25": 1.75,
        "median": 2.5,
        "p75": 3.25,
        "max": 4.0,
    }


@pytest.mark.parametrize(("values", "figure"), [([], 0.0), ([None], 0.0), ([7.0], 7.0)])
def test_a_profile_of_nothing_or_one_value_is_defined(values, figure):
    found = drift.profile(values)
    assert found["median"] == found["min"] == found["max"] == found["mean"] == figure
    assert found["stdev"] == 0.0


@pytest.mark.covers("P10.3")
def test_psi_follows_its_formula():
    # two bins around the median of the baseline: shares 1/2 and 1/2 before, 1/4 and 3/4 after
    baseline, current = [1.0, 2.0, 3.0, 4.0], [1.0, 3.0, 3.0, 4.0]
    expected = (0.25 - 0.5) * math.log(0.25 / 0.5) + (0.75 - 0.5) * math.log(0.75 / 0.5)
    assert drift.psi(baseline, current, bins=2) == pytest.approx(expected)
    assert drift.psi(baseline, baseline) == 0.0


def test_psi_is_finite_when_a_bin_is_empty_or_the_baseline_is_constant():
    assert 1 < drift.psi([1.0, 2.0, 3.0, 4.0], [9.0] * 4) < 20
    assert drift.psi([5.0] * 10, [5.0] * 10) == 0.0
    assert drift.psi([5.0] * 10, [4.0] * 10) > 1
    assert drift.psi([5.0], [5.0]) == 0.0


@pytest.mark.covers("P10.3")
@pytest.mark.parametrize("shift", [0.0, 0.3, 5.0])
def test_ks_is_the_statistic_of_scipy(shift):
    numbers = random.Random(7)  # noqa: S311 - sample data
    first = [round(numbers.gauss(0, 1), 1) for _ in range(80)]
    second = [round(numbers.gauss(shift, 1), 1) for _ in range(60)]
    assert drift.ks(first, second) == pytest.approx(scipy.stats.ks_2samp(first, second).statistic)


def test_the_limit_of_ks_is_the_one_of_the_table():
    # c(0.05) = 1.358 in the usual tables
    assert drift.ks_limit(100, 100, 0.05) == pytest.approx(1.358 * math.sqrt(200 / 10_000), abs=1e-3)
    assert drift.ks_limit(1, 1) == 1.0


def test_a_shift_within_chance_is_no_drift_though_psi_is_high():
    found = drift.compare({"a": [1.0, 2.0, 3.0]}, {"a": [3.0, 4.0, 5.0]}, 0.25)
    assert found["a"]["psi"] > 0.25
    assert not found["a"]["drifted"]


@pytest.mark.parametrize("measure", [drift.psi, drift.ks])
@pytest.mark.parametrize(("first", "second"), [([], [1.0]), ([1.0], [])])
def test_an_empty_sample_is_an_error(measure, first, second):
    with pytest.raises(ValueError, match="empty"):
        measure(first, second)


def test_columns_are_read_as_numbers_with_gaps(tmp_path):
    file = tmp_path / "orders.csv"
    file.write_text("id,amount\na,1.5\nb,\n")
    assert drift.read_columns(file, ["amount"]) == {"amount": [1.5, None]}
    with pytest.raises(KeyError, match="items"):
        drift.read_columns(file, ["items"])
    with pytest.raises(ValueError, match="row 1, id: no number"):
        drift.read_columns(file, ["id"])
    file.write_text("amount\ninf\n")
    with pytest.raises(ValueError, match="row 1, amount: not finite"):
        drift.read_columns(file, ["amount"])
