"""A small churn model in plain Python: logistic regression, stored as JSON that people can read.

Trained by gradient descent on standardised features from fixed starting values: the same data gives the
same model.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

FEATURES = ("tenure", "monthly_charges")
LABEL = "churn"
_STEPS, _RATE = 300, 0.5


@dataclass(frozen=True)
class Model:
    """Weights by feature, of values from which `mean` is subtracted and that are divided by `scale`."""

    bias: float
    weights: dict[str, float]
    mean: dict[str, float]
    scale: dict[str, float]

    def score(self, row: Mapping[str, str]) -> float:
        """The probability of churn, between 0 and 1. Raises KeyError and ValueError for a missing value."""
        total = self.bias
        for name, weight in self.weights.items():
            total += weight * (float(row[name]) - self.mean[name]) / self.scale[name]
        return _sigmoid(total)

    def save(self, path: Path) -> None:
        """Write as JSON; an old model is replaced as a whole."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(self), sort_keys=True), encoding="utf-8")
        partial.replace(path)

    @classmethod
    def load(cls, path: Path) -> Model:
        """Read what `save` has written."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))


class Event(Protocol):
    """What is read of an asset's event."""

    extra: dict[str, Any]
    timestamp: Any


def published(events: Iterable[Event], otherwise: str) -> Path:
    """The path that the newest of the model's events names in `extra`; `otherwise` when none does."""
    named = [event for event in events if (event.extra or {}).get("path")]
    return Path(max(named, key=lambda event: event.timestamp).extra["path"] if named else otherwise)


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, value))))


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file with a header."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def split(
    rows: Sequence[Mapping[str, str]], every: int = 5
) -> tuple[list[Mapping[str, str]], list[Mapping[str, str]]]:
    """Rows to train with and rows to judge by: each fifth is for judging."""
    train = [row for index, row in enumerate(rows) if index % every]
    return train, [row for index, row in enumerate(rows) if not index % every]


def train(rows: Sequence[Mapping[str, str]]) -> Model:
    """Fit a model. Raises ValueError without rows of both kinds."""
    labels = [int(row[LABEL]) for row in rows]
    if set(labels) != {0, 1}:
        raise ValueError("training needs customers who left and customers who stayed")
    columns = {name: [float(row[name]) for row in rows] for name in FEATURES}
    mean = {name: sum(values) / len(values) for name, values in columns.items()}
    scale = {name: _deviation(values, mean[name]) for name, values in columns.items()}
    features = [
        [(columns[name][index] - mean[name]) / scale[name] for name in FEATURES] for index in range(len(rows))
    ]
    bias, weights = _descend(features, labels)
    return Model(bias, dict(zip(FEATURES, weights, strict=True)), mean, scale)


def _deviation(values: Sequence[float], mean: float) -> float:
    return math.sqrt(sum((value - mean) ** 2 for value in values) / len(values)) or 1.0


def _descend(features: Sequence[Sequence[float]], labels: Sequence[int]) -> tuple[float, list[float]]:
    bias, weights = 0.0, [0.0] * len(FEATURES)
    for _ in range(_STEPS):
        errors = [
            _sigmoid(bias + sum(w * x for w, x in zip(weights, row, strict=True))) - label
            for row, label in zip(features, labels, strict=True)
        ]
        bias -= _RATE * sum(errors) / len(errors)
        for column in range(len(weights)):
            slope = sum(error * row[column] for error, row in zip(errors, features, strict=True))
            weights[column] -= _RATE * slope / len(errors)
    return bias, weights


def accuracy(model: Model, rows: Iterable[Mapping[str, str]]) -> float:
    """The share of rows that the model judges rightly at a limit of 0.5. Raises ValueError without rows."""
    right = [(model.score(row) >= 0.5) == (row[LABEL] == "1") for row in rows]
    if not right:
        raise ValueError("no rows to judge by")
    return sum(right) / len(right)


def predict_file(model: Model, source: Path, target: Path) -> int:
    """Score each customer of `source` into `target` (customer_id, churn_probability); returns how many."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    rows = 0
    with source.open(newline="", encoding="utf-8") as read, partial.open("w", newline="") as write:
        writer = csv.writer(write)
        writer.writerow(["customer_id", "churn_probability"])
        for row in csv.DictReader(read):
            writer.writerow([row["customer_id"], f"{model.score(row):.4f}"])
            rows += 1
    partial.replace(target)
    return rows
