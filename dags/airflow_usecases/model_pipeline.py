"""The steps of a small training pipeline: load, preprocess, train, evaluate, deploy.

They pass descriptions, not data. The rows are made from the feature names, the same for the same names, so
that a pipeline runs everywhere; replace `_rows` by reading the source.
"""

from __future__ import annotations

import logging
import statistics
from collections.abc import Sequence
from typing import TypedDict

log = logging.getLogger(__name__)

ROWS = 200


class Dataset(TypedDict):
    """A data set by its source and features; `means` and `deviations` scale it once it is preprocessed."""

    source: str
    features: list[str]
    rows: int
    means: list[float]
    deviations: list[float]


class Trained(TypedDict):
    """A trained model: `threshold` separates the two classes by the sum of the scaled features."""

    model: str
    dataset: Dataset
    threshold: float


class Evaluated(TypedDict):
    """A model with its accuracy on all rows."""

    model: str
    accuracy: float


class Deployment(TypedDict):
    """Which model serves, and how good it was."""

    model: str
    version: str
    accuracy: float


def load_data(source: str, features: Sequence[str]) -> Dataset:
    """Describe the data at a source. Raises ValueError when no feature is named."""
    if not features:
        raise ValueError(f"no features for {source}")
    log.info("reading %s from %s", ", ".join(features), source)
    return {"source": source, "features": list(features), "rows": ROWS, "means": [], "deviations": []}


def preprocess(dataset: Dataset) -> Dataset:
    """Find the mean and deviation of each feature."""
    columns = list(zip(*_rows(dataset), strict=True))
    return {
        **dataset,
        "means": [statistics.fmean(column) for column in columns],
        "deviations": [statistics.pstdev(column) or 1.0 for column in columns],
    }


def train_model(dataset: Dataset, model: str) -> Trained:
    """Choose the threshold in the middle of the scores."""
    return {"model": model, "dataset": dataset, "threshold": statistics.median(_scores(dataset))}


def evaluate_model(trained: Trained) -> Evaluated:
    """The share of rows whose class the model finds; positive is one whose first feature is above average."""
    dataset = trained["dataset"]
    first = dataset["means"][0]
    truth = [row[0] > first for row in _rows(dataset)]
    found = [score > trained["threshold"] for score in _scores(dataset)]
    hits = sum(a == b for a, b in zip(truth, found, strict=True))
    return {"model": trained["model"], "accuracy": hits / len(truth)}


def deploy_model(evaluated: Evaluated, minimum: float = 0.5) -> Deployment:
    """Deploy a model. Raises ValueError when its accuracy is below `minimum`."""
    if evaluated["accuracy"] < minimum:
        raise ValueError(f"{evaluated['model']} has an accuracy of {evaluated['accuracy']:.2f}")
    log.info("deployed %s", evaluated["model"])
    return {"model": evaluated["model"], "version": "candidate", "accuracy": evaluated["accuracy"]}


def _rows(dataset: Dataset) -> list[list[float]]:
    """Low-discrepancy numbers: each feature walks through 0..1 by its own irrational step."""
    steps = [
        (0.6180339887 * (place + 1) + 0.01 * len(name)) % 1 for place, name in enumerate(dataset["features"])
    ]
    return [[(number * step) % 1 for step in steps] for number in range(dataset["rows"])]


def _scores(dataset: Dataset) -> list[float]:
    scale = list(zip(dataset["means"], dataset["deviations"], strict=True))
    return [
        3 * (row[0] - scale[0][0]) / scale[0][1]
        + sum((value - mean) / deviation for value, (mean, deviation) in zip(row[1:], scale[1:], strict=True))
        for row in _rows(dataset)
    ]
