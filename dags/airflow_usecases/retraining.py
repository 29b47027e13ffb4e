"""Retraining without a person: drift, a challenger, its validation, a canary, promotion or rollback.

The model is one number (a score above `boundary` is positive), so that everything around it can be read.
Registry and serving are ports: `FileRegistry` and `FileServing` here, real ones in `model_ports`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypedDict

CHAMPION, CHALLENGER = "champion", "challenger"


class Example(TypedDict):
    """One prediction with what later turned out to be true; `group` is for fairness only."""

    score: float
    positive: bool
    group: str


@dataclass(frozen=True)
class Limits:
    """When to act: `data_drift` is a PSI, `model_drift` and `bias` are differences of accuracy."""

    data_drift: float = 0.2
    model_drift: float = 0.05
    improvement: float = 0.01
    bias: float = 0.10
    canary: float = 0.02


class Comparison(TypedDict):
    """Accuracy of both on the same held-out examples; `bias` is the challenger's gap between groups."""

    champion: float
    challenger: float
    bias: float
    verdict: str


class Registry(Protocol):
    """Versions of a model, and aliases that point to one of them."""

    def register(self, model: str, parameters: dict[str, float], run: str) -> str:
        """Store what `run` (a name of the training) made as a version; returns its number.

        A run has one version: a retry returns the one that is there.
        """

    def set_alias(self, model: str, alias: str, version: str) -> None:
        """Point an alias to a version. Raises KeyError for a version that is not there."""

    def delete_alias(self, model: str, alias: str) -> None:
        """Remove an alias; one that is not there is fine."""

    def version_of(self, model: str, alias: str) -> str | None:
        """The version behind an alias, None without one."""

    def parameters_of(self, model: str, version: str) -> dict[str, float]:
        """The parameters of a version. Raises KeyError for a version that is not there."""


class Serving(Protocol):
    """Where models answer requests."""

    def split_traffic(self, endpoint: str, shares: dict[str, int]) -> None:
        """Send each version its share of the requests, in percent of 100. A share of 0 is a shadow.

        A version that is not named gets none.
        """


def ground_truth(count: int, boundary: float, noise: float = 0.0, disadvantage: float = 0.0) -> list[Example]:
    """Examples that came back with their truth: positive above `boundary`, a share `noise` of them flipped.

    `disadvantage` is the share of group b that is labelled wrongly. Equal arguments give equal examples.
    """
    dice = random.Random(f"{count}/{boundary}/{noise}/{disadvantage}")  # noqa: S311 - data, not a secret
    examples: list[Example] = []
    for number in range(count):
        score, group = dice.random(), "ab"[number // 2 % 2]
        positive = score > boundary
        flip = dice.random() < noise or (group == "b" and dice.random() < disadvantage)
        examples.append({"score": score, "positive": positive != flip, "group": group})
    return examples


def save_examples(path: Path, examples: Sequence[Example]) -> str:
    """Write examples to a file; returns its path, which is what tasks pass on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(list(examples)), encoding="utf-8")
    return str(path)


def load_examples(path: str) -> list[Example]:
    """The examples of a file."""
    examples: list[Example] = json.loads(Path(path).read_text(encoding="utf-8"))
    return examples


def accuracy(boundary: float, examples: Sequence[Example]) -> float:
    """The share of examples that a boundary classifies rightly. Raises ValueError without examples."""
    if not examples:
        raise ValueError("no examples to measure with")
    return sum((item["score"] > boundary) == item["positive"] for item in examples) / len(examples)


def bias(boundary: float, examples: Sequence[Example]) -> float:
    """The difference between the best and the worst group's accuracy."""
    groups = sorted({item["group"] for item in examples})
    rates = [accuracy(boundary, [item for item in examples if item["group"] == group]) for group in groups]
    return max(rates) - min(rates)


def train(examples: Sequence[Example]) -> float:
    """The boundary, in steps of 0.01, with the best accuracy; the lowest of equals."""
    return max((step / 100 for step in range(101)), key=lambda boundary: accuracy(boundary, examples))


def drift_score(context: Mapping[str, Any]) -> float:
    """The PSI in the newest event that started the run; of a run by hand, the param `psi`."""
    for events in (context.get("triggering_asset_events") or {}).values():
        if events:
            return float(events[-1].extra["psi"])
    return float(context["params"]["psi"])


def drift_kind(psi: float, champion: float, baseline: float, limits: Limits) -> str | None:
    """`data` when the inputs moved, `model` when the champion lost accuracy since its training, else None."""
    if psi >= limits.data_drift:
        return "data"
    return "model" if baseline - champion >= limits.model_drift else None


def compare(champion: float, challenger: float, examples: Sequence[Example], limits: Limits) -> Comparison:
    """Validate a challenger: `better`, `worse` (also when it is only a little better) or `biased`."""
    before, after = accuracy(champion, examples), accuracy(challenger, examples)
    gap = bias(challenger, examples)
    verdict = "worse" if after - before < limits.improvement else "biased" if gap > limits.bias else "better"
    return {"champion": before, "challenger": after, "bias": gap, "verdict": verdict}


def canary_healthy(requests: int, errors: int, limits: Limits) -> bool:
    """Whether few enough of a canary's requests failed. Raises ValueError when it got none."""
    if requests < 1:
        raise ValueError("the canary got no request; nothing can be said about it")
    return errors / requests <= limits.canary


class _File:
    def __init__(self, path: Path) -> None:
        self._path = path

    def _load(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self._path.read_text("utf-8")) if self._path.exists() else {}
        return content

    def _save(self, content: dict[str, Any]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(".partial")
        partial.write_text(json.dumps(content, sort_keys=True), encoding="utf-8")
        partial.replace(self._path)


class FileRegistry(_File):
    """A registry in one JSON file."""

    def register(self, model: str, parameters: dict[str, float], run: str) -> str:
        """Store a version; a run has one, so that a retry adds none."""
        content = self._load()
        versions: list[dict[str, Any]] = content.setdefault(model, {"versions": [], "aliases": {}})[
            "versions"
        ]
        for number, version in enumerate(versions, start=1):
            if version["run"] == run:
                return str(number)
        versions.append({"run": run, "parameters": parameters})
        self._save(content)
        return str(len(versions))

    def set_alias(self, model: str, alias: str, version: str) -> None:
        """Point an alias to a version. Raises KeyError for a version that is not there."""
        content = self._load()
        _version(content, model, version)
        content[model]["aliases"][alias] = version
        self._save(content)

    def delete_alias(self, model: str, alias: str) -> None:
        """Remove an alias; one that is not there is fine."""
        content = self._load()
        content.get(model, {}).get("aliases", {}).pop(alias, None)
        self._save(content)

    def version_of(self, model: str, alias: str) -> str | None:
        """The version behind an alias."""
        version: str | None = self._load().get(model, {}).get("aliases", {}).get(alias)
        return version

    def parameters_of(self, model: str, version: str) -> dict[str, float]:
        """The parameters of a version. Raises KeyError for a version that is not there."""
        parameters: dict[str, float] = _version(self._load(), model, version)["parameters"]
        return parameters


def _version(content: Mapping[str, Any], model: str, version: str) -> dict[str, Any]:
    versions: list[dict[str, Any]] = content.get(model, {}).get("versions", [])
    if not 1 <= int(version) <= len(versions):
        raise KeyError(f"{model} has no version {version}")
    return versions[int(version) - 1]


class FileServing(_File):
    """Traffic shares by endpoint, in one JSON file."""

    def split_traffic(self, endpoint: str, shares: dict[str, int]) -> None:
        """Write the shares. Raises ValueError when they are not 100 together."""
        if sum(shares.values()) != 100:
            raise ValueError(f"the shares {shares} are not 100 together")
        self._save({**self._load(), endpoint: shares})

    def shares(self, endpoint: str) -> dict[str, int]:
        """The shares as they are now."""
        current: dict[str, int] = self._load().get(endpoint, {})
        return current
