"""What Grafana does between a dashboard's JSON and Prometheus: find the queries, put in the variables.

Rules of substitution: https://grafana.com/docs/grafana/latest/dashboards/variables/variable-syntax/ and
https://grafana.com/docs/grafana/latest/datasources/prometheus/template-variables/.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.dashboards.recording.playback import Recorded

GENERATED = Path(__file__).resolve().parents[2] / "dashboards" / "generated"
ALL = "$__all"
#: Seconds between two points of a panel's line, and between two scrapes: what Grafana would take here.
INTERVAL = 15
SCRAPE_INTERVAL = 15
#: The tenants whose team's copies are looked at.
TENANTS = ("payments", "analytics")
# $1 is a group of label_replace
_REFERENCE = re.compile(
    r"\$(?P<plain>[a-zA-Z_]\w*)|\$\{(?P<name>[a-zA-Z_]\w*)(?::(?P<format>\w+))?\}|\[\[(?P<old>\w+)\]\]"
)
_REGEX_SIGNS = re.compile(r"[\\^$.*+?()[\]{}|]")
_LABEL_VALUES = re.compile(r"label_values\((?:(?P<match>.+),\s*)?(?P<label>\w+)\s*\)", re.DOTALL)
_QUERY_RESULT = re.compile(r"query_result\((?P<expr>.+)\)", re.DOTALL)


@dataclass(frozen=True)
class Query:
    """One query of a dashboard. `where` names board, panel and reference in a message."""

    board: str
    panel: str
    reference: str
    expr: str
    instant: bool = False
    repeated_by: str = ""

    @property
    def where(self) -> str:
        """For a message."""
        return f"{self.board} / {self.panel} / {self.reference}"


@dataclass(frozen=True)
class Variable:
    """A variable of a dashboard."""

    name: str
    kind: str
    query: str
    all_value: str = ""
    multi: bool = False
    has_all: bool = False
    pattern: str = ""


@dataclass
class Board:
    """A dashboard's queries and variables."""

    name: str
    json: dict[str, Any] = field(repr=False)

    @property
    def variables(self) -> list[Variable]:
        """In their order: later ones may use earlier ones."""
        return [_variable(entry) for entry in self.json["templating"]["list"]]

    @property
    def panels(self) -> list[dict[str, Any]]:
        """All panels, those inside rows too."""
        return list(_flat(self.json["panels"]))

    @property
    def queries(self) -> list[Query]:
        """Those of panels and annotations."""
        return [*self._of_panels(), *self._of_annotations()]

    def _of_panels(self) -> Iterator[Query]:
        for panel in self.panels:
            for target in panel.get("targets", []):
                if target.get("expr"):
                    yield Query(
                        self.name,
                        panel.get("title", str(panel["id"])),
                        target["refId"],
                        target["expr"],
                        bool(target.get("instant")) and not target.get("range"),
                        panel.get("repeat") or "",
                    )

    def _of_annotations(self) -> Iterator[Query]:
        for entry in self.json["annotations"]["list"]:
            expr = entry.get("expr") or (entry.get("target") or {}).get("expr")
            if expr:
                yield Query(self.name, f"annotation {entry['name']}", "A", expr)


def boards() -> list[Board]:
    """The platform's boards, and the copies that teams get, for each of two teams."""
    platform = [
        Board(f"platform/{file.stem}", json.loads(file.read_text()))
        for file in sorted((GENERATED / "platform").glob("*.json"))
    ]
    teams = [
        Board(f"team/{file.stem} of {tenant}", json.loads(for_team(file.read_text(), tenant)))
        for file in sorted((GENERATED / "team").glob("*.json"))
        for tenant in TENANTS
    ]
    return platform + teams


def for_team(text: str, tenant: str) -> str:
    """A team's dashboard with the tokens replaced, as the chart does it."""
    text = text.replace("__TENANT__", tenant).replace("__NAMESPACE__", f"airflow-{tenant}")
    return re.sub(r"__UID_(\w+?)__", lambda found: f"{found[1].lower()}-{tenant}", text)


def _flat(panels: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    row = ""
    for panel in panels:
        if panel["type"] == "row":
            row = panel.get("repeat") or ""
            yield from _flat(
                [inner | {"repeat": inner.get("repeat") or row} for inner in panel.get("panels", [])]
            )
        else:
            yield panel | {"repeat": panel.get("repeat") or row}


def _variable(entry: Mapping[str, Any]) -> Variable:
    query = entry.get("query") or ""
    return Variable(
        entry["name"],
        entry["type"],
        query if isinstance(query, str) else query["query"],
        entry.get("allValue") or "",
        bool(entry.get("multi")),
        bool(entry.get("includeAll")),
        entry.get("regex") or "",
    )


Values = Mapping[str, str | Sequence[str]]


def substitute(text: str, values: Values, span: float, all_values: Mapping[str, str] | None = None) -> str:
    """The query as Prometheus gets it. `span` is the board's time range in seconds.

    A value is a text, or a list for several selected ones; `all_values` are variables that stand for "All" by
    a text of their own. KeyError for a variable that the board has not.
    """
    own = {
        "__interval": f"{INTERVAL}s",
        "__interval_ms": str(INTERVAL * 1000),
        # max(interval + scrape interval, 4 * scrape interval)
        "__rate_interval": f"{max(INTERVAL + SCRAPE_INTERVAL, 4 * SCRAPE_INTERVAL)}s",
        "__range": f"{span:.0f}s",
        "__range_s": f"{span:.0f}",
        "__range_ms": f"{span * 1000:.0f}",
    }

    def replace(found: re.Match[str]) -> str:
        name = found["plain"] or found["name"] or found["old"]
        if name in own:
            return own[name]
        if all_values and name in all_values:
            return all_values[name]
        return _formatted(values[name], found["format"] or "")

    return _REFERENCE.sub(replace, text)


def _formatted(value: str | Sequence[str], form: str) -> str:
    many = [value] if isinstance(value, str) else list(value)
    if form == "raw":
        return ",".join(many)
    if form == "pipe":
        return "|".join(many)
    if form == "regex":
        escaped = [_REGEX_SIGNS.sub(lambda sign: f"\\{sign[0]}", item) for item in many]
    else:  # Prometheus' own: the backslash is inside of a string
        escaped = [_REGEX_SIGNS.sub(lambda sign: f"\\\\{sign[0]}", item) for item in many]
        if isinstance(value, str):
            return value
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


@dataclass(frozen=True)
class Selection:
    """What somebody has chosen: values by variable, and the texts of those that are at "All"."""

    values: dict[str, str | list[str]]
    all_values: dict[str, str]
    label: str

    def put_into(self, text: str, span: float) -> str:
        """Substitute."""
        return substitute(text, self.values, span, self.all_values)


class Choices:
    """The selections with which a board's queries are tried: "All", then one tenant after another."""

    def __init__(self, board: Board, recorded: Recorded) -> None:
        self.board = board
        self.span = recorded.end - recorded.start
        self._recorded = recorded
        #: what variables without any value are called
        self.empty: list[str] = []

    def selections(self) -> list[Selection]:
        """The default ("All") first."""
        found = [self._select("All", {})]
        names = {variable.name: variable for variable in self.board.variables}
        if "tenant" in names and names["tenant"].kind == "query":
            found += [self._select(tenant, {"tenant": tenant}) for tenant in TENANTS]
        return found

    def of_repeat(self, selection: Selection, variable: str) -> list[Selection]:
        """One selection for each value of the variable that a panel or row is repeated by."""
        found = next(entry for entry in self.board.variables if entry.name == variable)
        return [
            Selection(
                selection.values | {variable: [value]},
                {key: text for key, text in selection.all_values.items() if key != variable},
                f"{selection.label}, {variable}={value}",
            )
            for value in self.options(found, selection)
        ]

    def options(self, variable: Variable, selection: Selection) -> list[str]:
        """What a query variable offers."""
        query = selection.put_into(variable.query, self.span)
        if (labels := _LABEL_VALUES.fullmatch(query.strip())) is not None:
            values = self._recorded.label_values(labels["label"], labels["match"] or "")
        elif (result := _QUERY_RESULT.fullmatch(query.strip())) is not None:
            values = [json.dumps(entry) for entry in self._recorded.query(result["expr"])]
        else:
            raise ValueError(f"{self.board.name}: ${variable.name} is no query that this test knows: {query}")
        if variable.pattern:
            matches = (re.search(variable.pattern.strip("/"), value) for value in values)
            values = [found[1] if found.groups() else found[0] for found in matches if found]
        return sorted(set(values))

    def _select(self, label: str, chosen: Mapping[str, str]) -> Selection:
        selection = Selection({}, {}, label)
        for variable in self.board.variables:
            self._choose(variable, selection, chosen)
        return selection

    def _choose(self, variable: Variable, selection: Selection, chosen: Mapping[str, str]) -> None:
        if variable.kind in ("datasource", "constant", "textbox", "custom", "interval"):
            selection.values[variable.name] = variable.query.split(",")[0].strip()
        elif variable.name in chosen:
            one = chosen[variable.name]
            selection.values[variable.name] = [one] if variable.multi else one
        elif variable.has_all and variable.all_value:
            selection.all_values[variable.name] = variable.all_value
        else:
            options = self.options(variable, selection)
            if not options:
                self.empty.append(variable.name)
                options = [""]
            selection.values[variable.name] = options if variable.has_all and variable.multi else options[0]


def has_data(result: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a result draws anything: one number that is one."""
    values = itertools.chain.from_iterable(
        entry["values"] if "values" in entry else [entry["value"]] for entry in result
    )
    return any(value != "NaN" for _, value in values)
