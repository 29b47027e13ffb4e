"""Every board keeps every rule; and every rule can fail."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from tests.dashboards.linting import grafana_rules, own_rules
from tests.dashboards.linting.core import RULES, Case, panels, targets, variable
from tests.dashboards.linting.exceptions import EXEMPTIONS, without
from tests.dashboards.linting.promql import Parser, selectors, without_grown
from tests.dashboards.recording.playback import Recorded

from tenant_dashboards import signals
from tenant_dashboards.boards import boards
from tenant_dashboards.boards.parts import Flavour
from tenant_dashboards.panels.encode import to_json

Json = dict[str, Any]
assert grafana_rules  # importing registers the rules
assert own_rules
BOARDS = [(flavour, board) for flavour in Flavour for board in boards(flavour)]
GRAFANAS = (
    "template-datasource-rule",
    "template-job-rule",
    "template-instance-rule",
    "template-label-promql-rule",
    "template-on-time-change-reload-rule",
    "panel-datasource-rule",
    "panel-title-description-rule",
    "panel-units-rule",
    "panel-no-targets-rule",
    "target-logql-rule",
    "target-logql-auto-rule",
    "target-promql-rule",
    "target-rate-interval-rule",
    "target-job-rule",
    "target-instance-rule",
    "target-counter-agg-rule",
    "uneditable-dashboard-rule",
)


@pytest.fixture(scope="session")
def parse(recorded: Recorded) -> Parser:
    return Parser(recorded.url)


@pytest.mark.covers("G-12")
@pytest.mark.parametrize(("flavour", "board"), BOARDS, ids=[f"{f}-{b.slug}" for f, b in BOARDS])
def test_the_board_keeps_every_rule(flavour: Flavour, board: Any, parse: Parser) -> None:
    case = Case(to_json(board), parse)
    problems = {name: without(list(check(case)), name, board.slug) for name, check in RULES.items()}
    assert {name: found for name, found in problems.items() if found} == {}


def test_all_seventeen_rules_of_grafanas_linter_are_here() -> None:
    assert len(GRAFANAS) == 17
    assert set(GRAFANAS) <= set(RULES)


def test_no_exemption_is_left_over_and_each_has_a_reason(parse: Parser) -> None:
    for exemption in EXEMPTIONS:
        assert len(exemption.reason) > 30
        boards_meant = [board for _, board in BOARDS if board.slug == exemption.board]
        found = [p for board in boards_meant for p in RULES[exemption.rule](Case(to_json(board), parse))]
        assert any(problem.startswith(exemption.of) for problem in found), exemption


def _panel(board: Json, kind: str = "timeseries") -> Json:
    return next(panel for panel in panels(board) if panel["type"] == kind)


def _defaults(board: Json, kind: str = "timeseries") -> Json:
    found: Json = _panel(board, kind)["fieldConfig"]["defaults"]
    return found


def _graph(board: Json, title: str) -> Json:
    return next(panel for panel in panels(board) if panel["title"] == title)


def _custom(board: Json, title: str) -> Json:
    found: Json = _graph(board, title)["fieldConfig"]["defaults"]["custom"]
    return found


def _target(board: Json) -> Json:
    return next(target for panel, target in targets(board) if panel["type"] == "timeseries")


def _variable(board: Json, name: str = "tenant") -> Json:
    found = variable(board, name)
    assert found is not None
    return found


def _asks(expr: str) -> Callable[[Json], None]:
    return lambda board: _target(board).update(expr=expr)


def _asks_loki(expr: str) -> Callable[[Json], None]:
    return lambda board: _target(board).update(expr=expr, datasource={"type": "loki", "uid": "loki"})


def _column_without_unit(board: Json) -> None:
    for override in _panel(board, "table")["fieldConfig"]["overrides"]:
        override["properties"] = [p for p in override["properties"] if p["id"] not in {"unit", "decimals"}]


def _data_link(url: str) -> Callable[[Json], None]:
    return lambda board: _defaults(board).update(links=[{"title": "x", "url": url}])


# for each rule what breaks it; where a rule has several parts, each part
BREAKS: list[tuple[str, Callable[[Json], object]]] = [
    ("template-datasource-rule", lambda b: _variable(b, "datasource").update(name="prometheus")),
    ("template-datasource-rule", lambda b: _variable(b, "datasource").update(label="Source")),
    ("template-job-rule", lambda b: _variable(b).update(name="team")),
    ("template-job-rule", lambda b: _variable(b).update(multi=False)),
    ("template-job-rule", lambda b: _variable(b).update(allValue=".*")),
    ("template-job-rule", lambda b: _variable(b).update(label="")),
    ("template-instance-rule", lambda b: _variable(b, "namespace").update(allValue=".+")),
    ("template-label-promql-rule", lambda b: _variable(b)["query"].update(query="values(up, tenant)")),
    ("template-label-promql-rule", lambda b: _variable(b)["query"].update(query="label_values(up{, tenant)")),
    ("template-on-time-change-reload-rule", lambda b: _variable(b).update(refresh=1)),
    ("panel-datasource-rule", lambda b: _panel(b)["datasource"].update(uid="prometheus")),
    ("panel-title-description-rule", lambda b: _panel(b).update(description="")),
    ("panel-title-description-rule", lambda b: _panel(b).update(title=" ")),
    ("panel-units-rule", lambda b: _defaults(b).update(unit="secs")),
    ("panel-units-rule", lambda b: _defaults(b).pop("unit")),
    ("panel-units-rule", _column_without_unit),
    ("panel-no-targets-rule", lambda b: _panel(b).update(targets=[])),
    ("target-logql-rule", _asks_loki('{namespace="a"')),
    ("target-logql-auto-rule", _asks_loki('rate({namespace="a"}[5m])')),
    ("target-promql-rule", _asks("sum by (tenant (up)")),
    ("target-rate-interval-rule", _asks('rate(x_total{tenant=~"$tenant"}[5m])')),
    ("target-job-rule", _asks("airflow_dagbag_size")),
    ("target-instance-rule", _asks('kube_pod_labels{tenant=~"$tenant"}')),
    ("target-counter-agg-rule", _asks('airflow_ti_failures{tenant=~"$tenant"}')),
    ("target-counter-agg-rule", _asks('max_over_time(x_total{tenant=~"$tenant"}[5m])')),
    ("uneditable-dashboard-rule", lambda b: b.update(editable=True)),
    ("uid-rule", lambda b: b.update(uid="team")),
    ("uid-rule", lambda b: b.update(uid=None)),
    ("schema-rule", lambda b: b.update(schemaVersion=26)),
    ("round-trip-rule", lambda b: _panel(b).update(descripton="typo")),
    ("round-trip-rule", lambda b: _panel(b)["options"].update(legends={})),
    ("unique-ids-rule", lambda b: _panel(b).update(id=_panel(b, "stat")["id"])),
    ("layout-rule", lambda b: _panel(b).update(gridPos=_panel(b, "stat")["gridPos"])),
    ("layout-rule", lambda b: _panel(b)["gridPos"].update(x=20)),
    ("panel-count-rule", lambda b: b.update(panels=b["panels"] * 2)),
    ("panel-type-rule", lambda b: _panel(b).update(type="graph")),
    ("no-data-text-rule", lambda b: _defaults(b).update(noValue="")),
    ("legend-rule", lambda b: _target(b).update(legendFormat="__auto")),
    ("legend-rule", lambda b: _panel(b)["options"]["legend"].update(showLegend=False)),
    ("legend-rule", lambda b: _graph(b, "DAG run duration, p95")["options"]["legend"].pop("sortBy")),
    ("bars-rule", lambda b: _custom(b, "DAG runs by outcome").pop("stacking")),
    ("threshold-rule", lambda b: _defaults(b, "stat").pop("thresholds")),
    ("threshold-rule", lambda b: _defaults(b, "stat")["thresholds"]["steps"].reverse()),
    ("links-rule", lambda b: b["links"][0].update(keepTime=False)),
    ("links-rule", lambda b: b["links"][0].update(includeVars=False)),
    ("links-rule", lambda b: b["links"][0].update(url="/d/airflow-nowhere")),
    ("links-rule", _data_link("/d/airflow-slo?var-tenant=a")),
    ("links-rule", _data_link("/d/airflow-slo?${__url_time_range}")),
    ("links-rule", _data_link("/d/__UID_SLO__?var-tenant=a&${__url_time_range}")),
    ("way-round-rule", lambda b: b.update(links=b["links"][1:])),
    ("way-round-rule", lambda b: b.update(links=b["links"][:-1])),
    ("variables-rule", _asks('up{tenant=~"$tenants"}')),
    ("variables-rule", lambda b: b["templating"]["list"].append({"name": "idle", "type": "custom"})),
    ("head-rule", lambda b: b.update(timezone="utc")),
    ("head-rule", lambda b: b.update(tags=[])),
    ("annotations-rule", lambda b: b["annotations"]["list"].pop(0)),
]  # fmt: skip


@pytest.fixture(scope="module")
def good() -> Json:
    """The team's board of the platform: it has every kind of panel that the rules look at."""
    return to_json(next(board for board in boards(Flavour.PLATFORM) if board.slug == "team"))


def test_every_rule_has_a_board_that_breaks_it() -> None:
    assert {name for name, _ in BREAKS} == set(RULES)


@pytest.mark.covers("G-12")
@pytest.mark.parametrize(("name", "spoil"), BREAKS, ids=[f"{name}-{i}" for i, (name, _) in enumerate(BREAKS)])
def test_a_board_that_breaks_the_rule_is_told(
    name: str, spoil: Callable[[Json], object], good: Json, parse: Parser
) -> None:
    before = list(RULES[name](Case(good, parse)))
    spoiled = copy.deepcopy(good)
    spoil(spoiled)
    after = list(RULES[name](Case(spoiled, parse)))
    assert set(after) - set(before), f"{name} does not see it"


def test_the_growth_of_a_late_counter_counts_as_increase_and_nothing_else_does(parse: Parser) -> None:
    grown = signals.grown('airflow_ti_failures{tenant=~"$tenant"}', "$__rate_interval")
    tree = parse(without_grown(f"sum by (tenant) ({grown})"))
    assert [parents[-1]["func"]["name"] for _, parents in selectors(tree)] == ["increase"]
    other = grown.replace("unless max_over_time(airflow_ti_failures", "unless max_over_time(airflow_ti_start")
    assert without_grown(other) == other
