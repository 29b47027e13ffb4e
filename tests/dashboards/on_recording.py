"""Panels put to the recording as Grafana would put them: variables filled, every tenant chosen."""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tests.dashboards.grafana import substitute
from tests.dashboards.recording.playback import Recorded, serve

from devcluster.tools import tool
from tenant_dashboards.boards import boards
from tenant_dashboards.boards.parts import Flavour
from tenant_dashboards.panels.model import Board, Panel, Target

Labels = Mapping[str, str]
_POINTS = 60  # of a graph; Grafana asks for about one per pixel
_LABEL = re.compile(r"\{\{(\w+)\}\}")
_SELECTOR = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\{")


def board(slug: str) -> Board:
    """The platform's board."""
    return {made.slug: made for made in boards(Flavour.PLATFORM)}[slug]


def panel(slug: str, title: str) -> Panel:
    """The panel of this title; KeyError when the board has none."""
    return {found.title: found for found in board(slug).panels}[title]


def metrics(shown: Panel) -> set[str]:
    """Every metric that the panel's queries name."""
    return {name for target in shown.targets for name in _SELECTOR.findall(target.expr)}


@dataclass(frozen=True)
class Answer:
    """One query's series: labels -> (time, value) pairs, oldest first; one pair for a table or a number."""

    series: tuple[tuple[Labels, tuple[tuple[float, float], ...]], ...]

    def last(self, *labels: str) -> dict[tuple[str, ...], float]:
        """The values at the newest point, by these labels. Series that only differ in others are an error."""
        now = max((points[-1][0] for _, points in self.series), default=0.0)
        newest = [(own, points[-1][1]) for own, points in self.series if points[-1][0] == now]
        found = [(tuple(own.get(name, "") for name in labels), value) for own, value in newest]
        assert len(dict(found)) == len(found), "the labels do not tell the series apart"
        return dict(found)


class Shown:
    """A panel on the recording."""

    def __init__(self, recorded: Recorded, slug: str, title: str, **variables: str) -> None:
        """`variables` are the reader's choices; what he does not choose is All."""
        self.panel = panel(slug, title)
        self._recorded = recorded
        self._chosen = variables
        self._names = [entry.name for entry in board(slug).variables if entry.name != "namespace"]

    def answer(self, which: int | str, at: float | None = None) -> Answer:
        """Prometheus' answer to the query of this number or legend, at a time or over everything."""
        target = self._target(which)
        expr = self.filled(target)
        if at or target.instant or self.panel.kind == "table":
            found = self._recorded.query(expr, at)
            pairs = [(one["metric"], [one["value"]]) for one in found]
        else:
            step = self._interval(target)
            points = (self._recorded.end - self._recorded.start) // step + 1
            start = self._recorded.end - points * step  # so that the last point is the end
            found = self._recorded.query_range(expr, start=start, step=step)
            pairs = [(one["metric"], one["values"]) for one in found]
        return Answer(
            tuple((labels, tuple((float(t), float(v)) for t, v in values)) for labels, values in pairs)
        )

    def empty(self) -> list[str]:
        """The queries without data, by legend or number; those that may be empty are left out."""
        return [
            target.legend or str(number)
            for number, target in enumerate(self.panel.targets)
            if not target.may_be_empty and not self.answer(number).series
        ]

    def names(self) -> list[str]:
        """What the legend calls each series, of all queries."""
        return [
            _named(target.legend, labels)
            for number, target in enumerate(self.panel.targets)
            for labels, _ in self.answer(number).series
        ]

    def filled(self, target: Target) -> str:
        """The query with Grafana's and the board's variables filled in."""
        interval = self._interval(target)
        span = self._recorded.end - self._recorded.start
        namespaces = self._recorded.label_values("namespace", "airflow_tenant_info")
        chosen = {name: self._chosen.get(name, ".+") for name in self._names}
        text = target.expr.replace("$__interval", f"{interval}s")
        return substitute(text, {"namespace": namespaces}, span, chosen)

    def _interval(self, target: Target) -> int:
        span = self._recorded.end - self._recorded.start
        return max(span // _POINTS, self._recorded.step, _seconds(target.step))

    def _target(self, which: int | str) -> Target:
        if isinstance(which, int):
            return self.panel.targets[which]
        return {target.legend: target for target in self.panel.targets}[which]


def _named(legend: str, labels: Labels) -> str:
    return _LABEL.sub(lambda match: labels.get(match[1], ""), legend)


def _seconds(step: str) -> int:
    return int(step[:-1]) * {"s": 1, "m": 60}[step[-1]] if step else 0


@contextlib.contextmanager
def written(folder: Path, lines: Iterable[str], start: int, end: int) -> Iterator[Recorded]:
    """A Prometheus with samples of the text format, for what a recording of minutes cannot hold."""
    (folder / "series.om").write_text("\n".join([*lines, "# EOF", ""]))
    imported = [tool("promtool"), "tsdb", "create-blocks-from", "openmetrics", "--quiet"]
    command = [*imported, folder / "series.om", folder / "data"]
    subprocess.run(command, check=True, timeout=60, capture_output=True)
    with serve(folder / "data", "5m") as prometheus:
        yield replace(prometheus, start=start, end=end, step=60)


def raw(recorded: Recorded, expr: str, *labels: str) -> dict[tuple[str, ...], float]:
    """The recorded series themselves, at the end, by these labels."""
    return {
        tuple(one["metric"].get(label, "") for label in labels): float(one["value"][1])
        for one in recorded.query(expr)
    }


def assert_in_bucket(recorded: Recorded, selector: str, q: float, value: float) -> None:
    """A quantile lies in the bucket where the recorded histogram has it. `selector` is of the buckets."""
    counts = sorted(
        (float(le), count) for (le,), count in raw(recorded, f"sum by (le) ({selector})", "le").items()
    )
    total = counts[-1][1]
    finite = [bound for bound, _ in counts[:-1]]
    upper = next(bound for bound, count in counts if count >= q * total)
    lower = max((bound for bound in finite if bound < upper), default=0.0)
    assert lower <= value <= min(upper, finite[-1]), selector
