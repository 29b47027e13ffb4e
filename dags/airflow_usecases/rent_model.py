"""Rents by area: a model of one straight line, small enough to read, with what surrounds it in a real one.

Areas are in square metres, rents in currency per month.
"""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypedDict

COLUMNS = ("flat", "area", "rent")
MOST_INVALID = 0.1  # share of rows
_TEST_EVERY = 4  # each fourth row is kept back for the evaluation


class Flat(TypedDict):
    """One flat that is let."""

    flat: str
    area: float
    rent: float


class Metrics(TypedDict):
    """`r2`: share of the variance that is explained, 1.0 is all; `mean_error`: absolute, in currency."""

    r2: float
    mean_error: float


@dataclass(frozen=True)
class RentModel:
    """rent = base + per_area * area."""

    base: float
    per_area: float

    def predict(self, area: float) -> float:
        """The rent of a flat."""
        return self.base + self.per_area * area

    def to_json(self) -> dict[str, float]:
        """The model as it is stored."""
        return asdict(self)


_AREA_AND_RENT = (
    *((32, 890), (41, 1010), (48, 1180), (55, 1290), (60, 1350), (66, 1500)),
    *((72, 1580), (80, 1750), (85, 1820), (93, 1990), (101, 2120), (110, 2300)),
)
FLATS: tuple[Flat, ...] = tuple(
    {"flat": f"F-{number}", "area": area, "rent": rent}
    for number, (area, rent) in enumerate(_AREA_AND_RENT, start=1)
)


def read_flats(text: str) -> tuple[list[Flat], int]:
    """Rows of a CSV text that are valid, and how many are not: no number, or not above 0.

    Raises ValueError when a column is missing, there is no row, or more than MOST_INVALID are invalid.
    """
    reader = csv.DictReader(io.StringIO(text))
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise ValueError(f"columns are missing: {', '.join(missing)}")
    rows = list(reader)
    valid = [flat for row in rows if (flat := _flat(row)) is not None]
    invalid = len(rows) - len(valid)
    if not rows or invalid / len(rows) > MOST_INVALID:
        raise ValueError(f"{invalid} of {len(rows)} rows are invalid")
    return valid, invalid


def _flat(row: dict[str, str]) -> Flat | None:
    try:
        area, rent = float(row["area"]), float(row["rent"])
    except (TypeError, ValueError):
        return None
    return {"flat": row["flat"], "area": area, "rent": rent} if area > 0 and rent > 0 else None


def write_flats(flats: Iterable[Flat]) -> str:
    """The rows as CSV text."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(flats)
    return text.getvalue()


def split(flats: Sequence[Flat]) -> tuple[list[Flat], list[Flat]]:
    """Rows to train with and rows to evaluate with; the same rows each time."""
    kept_back = list(flats[_TEST_EVERY - 1 :: _TEST_EVERY])
    return [flat for flat in flats if flat not in kept_back], kept_back


def train(flats: Sequence[Flat], *, through_origin: bool = False) -> RentModel:
    """The line of least squares. Raises statistics.StatisticsError for fewer than two different areas."""
    line = statistics.linear_regression(
        [flat["area"] for flat in flats], [flat["rent"] for flat in flats], proportional=through_origin
    )
    return RentModel(base=line.intercept, per_area=line.slope)


def evaluate(model: RentModel, flats: Sequence[Flat]) -> Metrics:
    """How well the model predicts rows that it has not seen. Raises ValueError for fewer than two rents."""
    rents = [flat["rent"] for flat in flats]
    if len(set(rents)) < 2:
        raise ValueError("an evaluation needs at least two different rents")
    errors = [flat["rent"] - model.predict(flat["area"]) for flat in flats]
    mean = statistics.fmean(rents)
    unexplained = sum(error**2 for error in errors) / sum((rent - mean) ** 2 for rent in rents)
    return {"r2": 1 - unexplained, "mean_error": statistics.fmean(map(abs, errors))}


def decide(candidate: Metrics, least_r2: float, deployed: Metrics | None) -> tuple[bool, str]:
    """Whether to deploy, and why: good enough, and not worse than what serves now."""
    if candidate["r2"] < least_r2:
        return False, f"r2 {candidate['r2']:.3f} is below {least_r2:.3f}"
    if deployed is not None and candidate["r2"] < deployed["r2"]:
        return False, f"r2 {candidate['r2']:.3f} is below the deployed model's {deployed['r2']:.3f}"
    return True, f"r2 {candidate['r2']:.3f} reaches {least_r2:.3f}"


def model_files(model: RentModel, run_id: str) -> dict[str, Any]:
    """The files of the model in MLflow's format (https://mlflow.org/docs/latest/ml/model/), by name.

    MLmodel is YAML, of which JSON is a part. The signature says what goes in and what comes out.
    """
    column = '[{"type": "double", "name": "%s", "required": true}]'
    return {
        "model.json": model.to_json(),
        "MLmodel": {
            "artifact_path": "model",
            "run_id": run_id,
            "flavors": {"rent_line": {"data": "model.json"}},
            "signature": {"inputs": column % "area", "outputs": column % "rent"},
        },
    }
