"""A/B tests: who gets which variant, whether the difference is more than chance, and what to do about it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

CONTROL, TREATMENT = "control", "treatment"


@dataclass(frozen=True)
class Experiment:
    """`split`: the treatment's share of the units, between 0 and 1; `alpha`: risk of a false alarm."""

    name: str
    split: float = 0.5
    alpha: float = 0.01
    minimum_units: int = 1000

    def __post_init__(self) -> None:
        if not 0 < self.split < 1:
            raise ValueError(f"split {self.split} is not between 0 and 1")


class Counts(TypedDict):
    """Units and conversions of one variant."""

    units: int
    conversions: int


class Result(TypedDict):
    """The outcome: conversion rates, their difference, its z score and the two-sided p value."""

    control_rate: float
    treatment_rate: float
    lift: float
    z: float
    p_value: float


def fraction(*parts: str) -> float:
    """A number in [0, 1) that is the same for the same parts, on every machine and in every run."""
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def assign(experiment: Experiment, unit: str) -> str:
    """The variant of a unit; the experiment's name goes in, so that two experiments do not share halves."""
    return TREATMENT if fraction(experiment.name, unit) < experiment.split else CONTROL


def count(
    experiment: Experiment, units: Iterable[str], converted: Callable[[str, str], bool]
) -> dict[str, Counts]:
    """Assign units and count who converted; `converted(unit, variant)`."""
    counts: dict[str, Counts] = {
        CONTROL: {"units": 0, "conversions": 0},
        TREATMENT: {"units": 0, "conversions": 0},
    }
    for unit in units:
        variant = assign(experiment, unit)
        counts[variant]["units"] += 1
        counts[variant]["conversions"] += converted(unit, variant)
    return counts


def simulated(experiment: Experiment, baseline: float, effect: float) -> Callable[[str, str], bool]:
    """Outcomes with a known effect, always the same: control converts at `baseline`, treatment at more."""

    def converted(unit: str, variant: str) -> bool:
        rate = baseline + (effect if variant == TREATMENT else 0.0)
        return fraction(experiment.name, "outcome", unit) < rate

    return converted


def check_split(experiment: Experiment, counts: Mapping[str, Counts], tolerance: float = 0.01) -> float:
    """The treatment's share. Raises ValueError when it is off by more than `tolerance`: units got lost."""
    total = sum(variant["units"] for variant in counts.values())
    share = counts[TREATMENT]["units"] / total if total else 0.0
    if abs(share - experiment.split) > tolerance:
        raise ValueError(f"{share:.2%} of {total} units got the treatment, {experiment.split:.2%} should")
    return share


def two_sided_p(z: float, use_scipy: bool = True) -> float:
    """The probability of a standard normal value at least as far from 0; by scipy where it is installed."""
    if use_scipy:
        try:
            from scipy.stats import norm  # type: ignore[import-untyped,unused-ignore]
        except ImportError:
            pass
        else:
            return float(2 * norm.sf(abs(z)))
    return math.erfc(abs(z) / math.sqrt(2))


def analyse(control: Counts, treatment: Counts) -> Result:
    """Two-proportion z test, pooled variance (Fleiss, Statistical Methods for Rates and Proportions, ch. 2).

    Raises ValueError for a variant without units.
    """
    if not control["units"] or not treatment["units"]:
        raise ValueError("a variant has no units")
    rates = [counts["conversions"] / counts["units"] for counts in (control, treatment)]
    units = control["units"] + treatment["units"]
    pooled = (control["conversions"] + treatment["conversions"]) / units
    error = math.sqrt(pooled * (1 - pooled) * (1 / control["units"] + 1 / treatment["units"]))
    z = (rates[1] - rates[0]) / error if error else 0.0
    return {
        "control_rate": rates[0],
        "treatment_rate": rates[1],
        "lift": rates[1] - rates[0],
        "z": z,
        "p_value": two_sided_p(z),
    }


def winner(experiment: Experiment, counts: Mapping[str, Counts], result: Result) -> str | None:
    """The variant that is better beyond chance, None when nobody can say or too few units took part."""
    if sum(variant["units"] for variant in counts.values()) < experiment.minimum_units:
        return None
    if result["p_value"] >= experiment.alpha:
        return None
    return TREATMENT if result["lift"] > 0 else CONTROL


def set_flag(path: Path, experiment: str, variant: str) -> dict[str, str]:
    """Write which variant everybody gets to a file of feature flags; returns all flags."""
    flags: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    flags[experiment] = variant
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(flags, sort_keys=True), encoding="utf-8")
    partial.replace(path)
    return flags
