"""Series of programs that cannot run here, from short descriptions: written/*.yaml.

    why: what is missing, and where the names and labels are documented
    series:
      - name: kube_pod_status_phase
        labels: {namespace: airflow-payments}          # of all entries
        of:
          - {pod: payments-scheduler-0, phase: Running, value: 1}

`value` is a number, or one of these shapes (times are shares of the recording, 0 to 1):

    {base: 200Mi, swing: 10Mi, noise: 2Mi, grow: 40Mi, from: 0.5, to: 0.6, add: 100Mi}   a level
    {rate: 0.3, noise: 0.2, from: 0.5, to: 0.6, add: 0.5, start: 1000}                   a counter, per second
    {steps: [[0, 1], [0.57, 0], [0.71, 1]]}                                              states
    {ago: 3600}                                                                          start minus 3600

`since: 0.545` in an entry: the series begins then, as that of a pod which is made later. `lead: 300` beside
the labels: all begin so many seconds before the recording, for rules that look back.
A histogram has `buckets: {"0.1": 2, "1": 0.5, "+Inf": 0.1}` instead: observations per second in each bucket.
Noise is the same in every run: it is seeded by the series.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).with_name("written")
_UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "m": 1e-3, "k": 1e3, "M": 1e6}
_WAVES = 3  # swings within a recording


@dataclass(frozen=True)
class Range:
    """The recording's time: seconds since 1970."""

    start: int
    end: int
    step: int
    lead: int = 0

    def moments(self) -> list[tuple[int, float]]:
        """(second, share of the recording) of each sample."""
        length = max(self.end - self.start, 1)
        return [
            (at, (at - self.start) / length) for at in range(self.start - self.lead, self.end + 1, self.step)
        ]


def names(folder: Path = FOLDER) -> dict[str, str]:
    """Metric name -> file that describes it; suffixes of histograms left out."""
    return {
        entry["name"]: file.name
        for file in sorted(folder.glob("*.yaml"))
        for entry in yaml.safe_load(file.read_text())["series"]
    }


def lines(span: Range, folder: Path = FOLDER) -> Iterator[str]:
    """All written series as samples of the text format."""
    for file in sorted(folder.glob("*.yaml")):
        for family in yaml.safe_load(file.read_text())["series"]:
            lead = family.get("lead", 0)
            for entry in family["of"]:
                labels = family.get("labels", {}) | {
                    key: value for key, value in entry.items() if key not in ("value", "buckets", "since")
                }
                born = span.start + entry.get("since", -math.inf) * (span.end - span.start)
                for name, its, values in _expand(family["name"], labels, entry, replace(span, lead=lead)):
                    text = series(name, its)
                    yield from (f"{text} {value:.10g} {at}" for at, value in values if at >= born)


def series(name: str, labels: Mapping[str, Any]) -> str:
    """A series as PromQL writes it."""
    pairs = (
        f'{key}="{_escaped(str(value))}"' for key, value in sorted(labels.items()) if value not in ("", None)
    )
    return f"{name}{{{','.join(pairs)}}}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


Samples = list[tuple[int, float]]


def _expand(
    name: str, labels: dict[str, Any], entry: Mapping[str, Any], span: Range
) -> Iterator[tuple[str, dict[str, Any], Samples]]:
    buckets: Mapping[str, float] | None = entry.get("buckets")
    if buckets is None:
        yield name, labels, _samples(entry["value"], span, series(name, labels))
        return
    below: list[float] = [0.0] * len(span.moments())
    total: list[float] = [0.0] * len(below)
    for bound, rate in buckets.items():
        own = _samples({"rate": rate, "noise": 0.3}, span, series(name, labels) + str(bound))
        below = [known + value for known, (_, value) in zip(below, own, strict=True)]
        middle = (2 * float(list(buckets)[-2]) if bound == "+Inf" else float(bound)) * 0.7
        total = [known + middle * value for known, (_, value) in zip(total, own, strict=True)]
        moments = [at for at, _ in span.moments()]
        yield f"{name}_bucket", labels | {"le": bound}, list(zip(moments, below, strict=True))
    moments = [at for at, _ in span.moments()]
    yield f"{name}_count", labels, list(zip(moments, below, strict=True))
    yield f"{name}_sum", labels, list(zip(moments, total, strict=True))


def _samples(value: Any, span: Range, seed: str) -> Samples:
    if not isinstance(value, Mapping):
        return [(at, number(value)) for at, _ in span.moments()]
    if "ago" in value:
        return [(at, span.start - number(value["ago"])) for at, _ in span.moments()]
    if "steps" in value:
        return [(at, _step(value["steps"], share)) for at, share in span.moments()]
    shape = {key: number(item) for key, item in value.items()}
    chance = random.Random(seed)  # noqa: S311 - the same curve every time
    if "rate" in shape:
        return _counter(shape, span, chance)
    return [(at, _level(shape, share, chance)) for at, share in span.moments()]


def _level(shape: Mapping[str, float], share: float, chance: random.Random) -> float:
    wave = math.sin(2 * math.pi * _WAVES * share) * shape.get("swing", 0)
    noise = chance.gauss(0, 1) * shape.get("noise", 0)
    return max(0.0, shape["base"] + wave + noise + shape.get("grow", 0) * share + _added(shape, share))


def _counter(shape: Mapping[str, float], span: Range, chance: random.Random) -> Samples:
    counted = shape.get("start", 0.0)
    found = []
    for at, share in span.moments():
        rate = shape["rate"] * (1 + chance.gauss(0, shape.get("noise", 0))) + _added(shape, share)
        counted += max(0.0, rate) * span.step
        found.append((at, counted))
    return found


def _added(shape: Mapping[str, float], share: float) -> float:
    return shape.get("add", 0.0) if shape.get("from", 2) <= share <= shape.get("to", 2) else 0.0


def _step(steps: Sequence[Sequence[float]], share: float) -> float:
    return [number(value) for begin, value in steps if begin <= share][-1]


def number(value: Any) -> float:
    """A number; text may end in a unit as Kubernetes writes it."""
    if isinstance(value, int | float):
        return float(value)
    for unit, factor in _UNITS.items():
        if value.endswith(unit):
            return float(value.removesuffix(unit)) * factor
    return float(value)
