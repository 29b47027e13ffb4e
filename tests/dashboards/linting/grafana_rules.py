"""The 17 rules of grafana/dashboard-linter, for boards whose scope is the tenant instead of job and instance.

https://github.com/grafana/dashboard-linter/tree/main/docs/rules. `job` and `instance` became `tenant` and
`namespace`: series of Airflow and the operator carry a tenant, those of Kubernetes a namespace.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from grafana_foundation_sdk.models import units
from tests.dashboards.linting.core import (
    Case,
    Json,
    Problems,
    panels,
    prometheus_targets,
    query_panels,
    rule,
    source,
    targets,
    variable,
    variables,
)
from tests.dashboards.linting.promql import RATE_INTERVAL_MS, Invalid, selectors, without_grown

from tenant_dashboards import signals
from tenant_dashboards.signals import COUNTER, HISTOGRAM, Metric

_UNITS = set(re.findall(r'= "([^"]+)"', Path(units.__file__).read_text(encoding="utf-8")))
_CUSTOM_UNIT = re.compile(r"(suffix|prefix):.+")
_LABEL_FUNCTION = re.compile(r"(label_names|label_values|metrics|query_result)\((.+)\)")
NO_TENANT = {
    "airflow_cost_unit_price",  # one price list for all
    "argocd_app_info",  # has a name only, from which the tenant is made
}
KUBERNETES = ("kube_", "container_", "kubelet_", "namespace_")
OWN = [value for value in vars(signals).values() if isinstance(value, Metric)]
COUNTERS = {m.name for m in OWN if m.kind == COUNTER} | {
    m.name + suffix for m in OWN if m.kind == HISTOGRAM for suffix in ("_bucket", "_sum", "_count")
}


@rule("template-datasource-rule")
def _datasource(case: Case) -> Problems:
    found = [(v["name"], v.get("label"), v.get("query")) for v in variables(case.board, "datasource")]
    if found != [("datasource", "Data Source", "prometheus")]:
        yield f"data sources: {found}, not one `datasource` for Prometheus with the label Data Source"


def _scope(case: Case, name: str, **wanted: object) -> Problems:
    found = variable(case.board, name)
    if found is None:
        yield f"{name}: no such variable"
    elif found["type"] == "constant":
        if found.get("hide") != 2 or not found["query"]:
            yield f"{name}: a constant is hidden and has a value"
    else:
        wanted = {"type": "query", "multi": True, "includeAll": True, **wanted}
        yield from (
            f"{name}: {key} is {found.get(key)!r}, not {value!r}"
            for key, value in wanted.items()
            if found.get(key) != value
        )
        if not found.get("label") or not found["query"]["query"].startswith(
            "label_values(airflow_tenant_info"
        ):
            yield f"{name}: has a label, and its values come from airflow_tenant_info"


@rule("template-job-rule")
def _tenant(case: Case) -> Problems:
    return _scope(case, "tenant", allValue=".+", hide=0)


@rule("template-instance-rule")
def _namespace(case: Case) -> Problems:
    """No allValue: All is the list of the chosen tenants' namespaces, not every namespace of the cluster."""
    return _scope(case, "namespace", allValue=None, hide=2)


@rule("template-label-promql-rule")
def _label_promql(case: Case) -> Problems:
    for found in variables(case.board, "query"):
        match = _LABEL_FUNCTION.fullmatch(found["query"]["query"])
        if match is None:
            yield f"{found['name']}: {found['query']['query']} is no label function"
            continue
        metric = match[2].rpartition(",")[0] or match[2]
        try:
            case.parse(metric)
        except Invalid as error:
            yield f"{found['name']}: {error}"


@rule("template-on-time-change-reload-rule")
def _reload(case: Case) -> Problems:
    return (f"{v['name']}: refresh" for v in variables(case.board, "query") if v.get("refresh") != 2)


@rule("panel-datasource-rule")
def _panel_datasource(case: Case) -> Problems:
    for panel in query_panels(case.board):
        if panel.get("datasource", {}).get("uid") not in {"$datasource", "${datasource}"}:
            yield f"{panel['title']}: the data source is not ${{datasource}}"


@rule("panel-title-description-rule")
def _title(case: Case) -> Problems:
    for panel in panels(case.board):
        if not panel.get("title", "").strip() or not panel.get("description", "").strip():
            yield f"{panel['id']}: no title or no description"


def _known_unit(unit: object) -> bool:
    return isinstance(unit, str) and (unit in _UNITS or bool(_CUSTOM_UNIT.fullmatch(unit)))


@rule("panel-units-rule")
def _units(case: Case) -> Problems:
    for panel in query_panels(case.board):
        config = panel.get("fieldConfig", {"defaults": {}, "overrides": []})
        if panel["type"] != "table" and not _known_unit(config["defaults"].get("unit")):
            yield f"{panel['title']}: unit {config['defaults'].get('unit')!r}"
        for override in config["overrides"]:
            for item in override["properties"]:
                if item["id"] == "unit" and not _known_unit(item["value"]):
                    yield f"{panel['title']}, {override['matcher']['options']}: unit {item['value']!r}"
        if panel["type"] == "table":
            yield from _columns_without_unit(panel)


def _columns_without_unit(panel: Json) -> Problems:
    """A number in a table has a unit, words, or a number of decimals."""
    names = next(
        (t["options"]["renameByName"] for t in panel["transformations"] if t["id"] == "organize"), {}
    )
    said = {
        override["matcher"]["options"]
        for override in panel["fieldConfig"]["overrides"]
        if {"unit", "mappings", "decimals"} & {item["id"] for item in override["properties"]}
    }
    for source_name, title in names.items():
        if source_name.startswith("Value") and title not in said:
            yield f"{panel['title']}: the column {title} has neither unit nor words"


@rule("panel-no-targets-rule")
def _no_targets(case: Case) -> Problems:
    return (f"{panel['title']}: no query" for panel in query_panels(case.board) if not panel.get("targets"))


@rule("target-logql-rule")
def _logql(case: Case) -> Problems:
    """No board asks Loki; one that does must at least select streams, in braces that match."""
    for panel, target in targets(case.board):
        if source(panel, target).get("type") == "loki":
            expr = target["expr"]
            if "{" not in expr or expr.count("{") != expr.count("}"):
                yield f"{panel['title']}: {expr} is no LogQL"


@rule("target-logql-auto-rule")
def _logql_auto(case: Case) -> Problems:
    for panel, target in targets(case.board):
        if source(panel, target).get("type") == "loki" and re.search(r"\[\d+\w+\]", target["expr"]):
            yield f"{panel['title']}: a fixed range instead of $__auto"


@rule("target-promql-rule")
def _promql(case: Case) -> Problems:
    for panel, target in prometheus_targets(case.board):
        try:
            case.parse(target["expr"])
        except Invalid as error:
            yield f"{panel['title']}: {error}"


def _selectors(case: Case, expr: str) -> Iterator[tuple[Json, tuple[Json, ...]]]:
    try:
        yield from selectors(case.parse(expr))
    except Invalid:
        return  # target-promql-rule says so


@rule("target-rate-interval-rule")
def _rate_interval(case: Case) -> Problems:
    for panel, target in prometheus_targets(case.board):
        for node, parents in _selectors(case, target["expr"]):
            call = parents[-1].get("func", {}).get("name") if parents else None
            if call in {"rate", "irate"} and node.get("range") != RATE_INTERVAL_MS:
                yield f"{panel['title']}: {call}({node['name']}) does not use $__rate_interval"


def _scoped(case: Case, label: str, *, kubernetes: bool) -> Problems:
    if variable(case.board, label) is None:
        return
    for panel, target in prometheus_targets(case.board):
        for node, _ in _selectors(case, target["expr"]):
            if node["name"].startswith(KUBERNETES) is not kubernetes or node["name"] in NO_TENANT:
                continue
            found = {m["value"] for m in node["matchers"] if (m["name"], m["type"]) == (label, "=~")}
            if not found & {".+", "|.+"}:  # the latter: what carries none is meant too
                yield f'{panel["title"]}: {node["name"]} has no {label}=~"${label}"'


@rule("target-job-rule")
def _target_tenant(case: Case) -> Problems:
    """Series of Airflow, the operator and the exporters are asked for the chosen tenants only."""
    return _scoped(case, "tenant", kubernetes=False)


@rule("target-instance-rule")
def _target_namespace(case: Case) -> Problems:
    """Series of Kubernetes are asked for the chosen tenants' namespaces only."""
    return _scoped(case, "namespace", kubernetes=True)


@rule("target-counter-agg-rule")
def _counters(case: Case) -> Problems:
    """Also counters that do not end in `_total`: Airflow's never do, so the names come from the signals."""
    for panel, target in prometheus_targets(case.board):
        for node, parents in _selectors(case, without_grown(target["expr"])):
            if not (node["name"] in COUNTERS or node["name"].endswith("_total")):
                continue
            call = parents[-1].get("func", {}).get("name") if parents else None
            if node["type"] != "matrixSelector" or call not in {"rate", "irate", "increase"}:
                yield f"{panel['title']}: the counter {node['name']} is not in rate(), irate() or increase()"


@rule("uneditable-dashboard-rule")
def _uneditable(case: Case) -> Problems:
    if case.board.get("editable") is not False:
        yield "the board can be edited: a change would be lost at the next rollout"
