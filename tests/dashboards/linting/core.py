"""What a rule is, and what rules ask of a board's JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.dashboards.linting.promql import Parser

Json = dict[str, Any]
Problems = Iterator[str]


@dataclass(frozen=True)
class Case:
    """A board under the rules."""

    board: Json
    parse: Parser


Rule = Callable[[Case], Problems]
RULES: dict[str, Rule] = {}


def rule(name: str) -> Callable[[Rule], Rule]:
    """Register a rule; it yields problems as `<panel or variable>: <what>`."""

    def register(function: Rule) -> Rule:
        RULES[name] = function
        return function

    return register


def panels(board: Json, *, rows: bool = False) -> Iterator[Json]:
    """Every panel, those in collapsed rows too."""
    for panel in board["panels"]:
        if panel["type"] != "row" or rows:
            yield panel
        yield from panel.get("panels", ())


def query_panels(board: Json) -> Iterator[Json]:
    """Panels that show data."""
    return (panel for panel in panels(board) if panel["type"] not in {"text", "row"})


def targets(board: Json) -> Iterator[tuple[Json, Json]]:
    """Every query with its panel."""
    for panel in query_panels(board):
        for target in panel.get("targets", ()):
            yield panel, target


def prometheus_targets(board: Json) -> Iterator[tuple[Json, Json]]:
    """Every query of a Prometheus source with its panel."""
    return ((p, t) for p, t in targets(board) if source(p, t).get("type") == "prometheus")


def source(panel: Json, target: Json) -> Json:
    """The data source of a query: its own, or the panel's."""
    found: Json = target.get("datasource") or panel.get("datasource") or {}
    return found


def variables(board: Json, kind: str = "") -> list[Json]:
    """The variables, of one type or all."""
    return [v for v in board["templating"]["list"] if not kind or v["type"] == kind]


def variable(board: Json, name: str) -> Json | None:
    """One variable."""
    return next((v for v in variables(board) if v["name"] == name), None)
