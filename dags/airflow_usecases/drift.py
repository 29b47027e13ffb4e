"""Profiles of numeric columns, and how far two samples are apart: PSI and Kolmogorov-Smirnov."""

from __future__ import annotations

import math
import statistics
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TypedDict

BINS = 10
_EMPTY = 1e-4  # share of an empty bin: PSI needs a logarithm of it


class Profile(TypedDict):
    """A numeric column in a few figures; those of an empty one are 0."""

    count: int
    nulls: int
    mean: float
    stdev: float
    min: float
    p25: float
    median: float
    p75: float
    max: float


class Drift(TypedDict):
    """How far a column has moved, and whether a limit is passed."""

    psi: float
    ks: float
    drifted: bool


def read_columns(path: str | PathLike[str], columns: Sequence[str]) -> dict[str, list[float | None]]:
    """The numbers of some columns of a CSV file; None where there is none.

    Raises KeyError for a column that is not there, ValueError for text that is no finite number, OSError.
    """
    from tenant_airflow_lib.checks import read_csv

    with read_csv(path) as table:
        for column in columns:
            if column not in table.columns:
                raise KeyError(column)
        values: dict[str, list[float | None]] = {column: [] for column in columns}
        for number, row in enumerate(table.rows, start=1):
            for column in columns:
                values[column].append(_number(row[column], f"row {number}, {column}"))
    return values


def profile(values: Sequence[float | None]) -> Profile:
    """Count, nulls, mean, sample standard deviation and quartiles (inclusive method)."""
    there = sorted(value for value in values if value is not None)
    quartiles = (
        statistics.quantiles(there, n=4, method="inclusive") if len(there) > 1 else [*there, *there, *there]
    )
    low, median, high = quartiles or [0.0, 0.0, 0.0]
    return {
        "count": len(values),
        "nulls": len(values) - len(there),
        "mean": statistics.fmean(there) if there else 0.0,
        "stdev": statistics.stdev(there) if len(there) > 1 else 0.0,
        "min": there[0] if there else 0.0,
        "p25": low,
        "median": median,
        "p75": high,
        "max": there[-1] if there else 0.0,
    }


def psi(expected: Sequence[float], actual: Sequence[float], bins: int = BINS) -> float:
    """Population stability index: sum of (a - e) * ln(a / e) over bins with the shares e and a.

    The bins are the quantiles of `expected`, open at both ends; an empty bin counts as a share of 0.0001.
    The usual reading (Siddiqi, Credit Risk Scorecards): below 0.1 stable, 0.1 to 0.25 look at it, above
    0.25 shifted. Raises ValueError when a sample is empty.
    """
    _both(expected, actual)
    edges = sorted(set(_quantiles(expected, bins)))
    pairs = zip(_shares(expected, edges), _shares(actual, edges), strict=True)
    return sum((a - e) * math.log(a / e) for e, a in pairs)


def ks(expected: Sequence[float], actual: Sequence[float]) -> float:
    """Two-sample Kolmogorov-Smirnov statistic: the largest distance of the empirical distributions, 0 to 1.

    Raises ValueError when a sample is empty.
    """
    _both(expected, actual)
    first, second = sorted(expected), sorted(actual)
    return max(
        abs(bisect_right(first, value) / len(first) - bisect_right(second, value) / len(second))
        for value in {*first, *second}
    )


def ks_limit(first: int, second: int, alpha: float = 0.001) -> float:
    """The distance that two samples of these sizes from one distribution exceed with probability `alpha`.

    sqrt(-ln(alpha / 2) / 2) * sqrt((n + m) / (n * m)), the asymptotic formula (Smirnov 1948), never above 1.
    """
    return min(1.0, math.sqrt(-math.log(alpha / 2) / 2) * math.sqrt((first + second) / (first * second)))


def compare(
    baseline: Mapping[str, Sequence[float | None]],
    current: Mapping[str, Sequence[float | None]],
    psi_limit: float,
) -> dict[str, Drift]:
    """Column -> drift. A column has drifted when PSI is above the limit *and* KS is beyond chance.

    PSI alone cries wolf on small samples, KS alone on large ones. Raises ValueError when a column is empty.
    """
    found: dict[str, Drift] = {}
    for column, values in baseline.items():
        old = [value for value in values if value is not None]
        new = [value for value in current[column] if value is not None]
        index, distance = psi(old, new), ks(old, new)
        beyond = distance > ks_limit(len(old), len(new))
        found[column] = {
            "psi": round(index, 4),
            "ks": round(distance, 4),
            "drifted": index > psi_limit and beyond,
        }
    return found


def _number(text: str, where: str) -> float | None:
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        raise ValueError(f"{where}: no number") from None
    if not math.isfinite(number):
        raise ValueError(f"{where}: not finite")
    return number


def _both(expected: Sequence[float], actual: Sequence[float]) -> None:
    if not expected or not actual:
        raise ValueError("a sample is empty")


def _quantiles(values: Sequence[float], bins: int) -> list[float]:
    return statistics.quantiles(values, n=bins, method="inclusive") if len(values) > 1 else list(values)


def _shares(values: Sequence[float], edges: Sequence[float]) -> list[float]:
    counts = [0] * (len(edges) + 1)
    for value in values:
        counts[bisect_right(edges, value)] += 1
    return [max(count / len(values), _EMPTY) for count in counts]
