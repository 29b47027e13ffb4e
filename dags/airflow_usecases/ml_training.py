"""Stand-ins for the steps of a training pipeline: small, deterministic, and all of them pass metadata only.

Replace the body of a function by your own; its input and output are what the DAGs rely on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

ROWS: Mapping[str, int] = {"customer_data": 1000, "transaction_data": 5000, "product_data": 200}
STEPS = ("clean", "normalize", "feature_engineering")
# Accuracy on the held-out customers.
ACCURACY: Mapping[str, float] = {
    "random_forest": 0.92,
    "gradient_boosting": 0.94,
    "neural_network": 0.95,
    "transformer": 0.96,
}


class Extract(TypedDict):
    """Where the rows of one source lie, and how many there are."""

    source: str
    path: str
    rows: int


class Trained(TypedDict):
    """A model and its accuracy."""

    model: str
    accuracy: float


def extract_source(source: str, root: str) -> Extract:
    """The extract of one source below `root`. KeyError for an unknown source."""
    return {"source": source, "path": f"{root.rstrip('/')}/{source}.parquet", "rows": ROWS[source]}


def total_rows(extracts: list[Extract]) -> int:
    """Rows of all sources."""
    return sum(extract["rows"] for extract in extracts)


def rows_after(step: str, rows: int) -> int:
    """How many rows a step leaves: cleaning drops one in a hundred. ValueError for an unknown step."""
    if step not in STEPS:
        raise ValueError(f"unknown step {step!r}; known: {', '.join(STEPS)}")
    return rows - rows // 100 if step == "clean" else rows


def train(model: str) -> Trained:
    """Train one model. ValueError for an unknown one."""
    if model not in ACCURACY:
        raise ValueError(f"unknown model {model!r}; known: {', '.join(ACCURACY)}")
    return {"model": model, "accuracy": ACCURACY[model]}


def passes(trained: Trained, least: float) -> bool:
    """Whether a model is as accurate as it has to be."""
    return trained["accuracy"] >= least
