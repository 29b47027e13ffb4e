"""What the boards promise: their parts, their scope, and that the figures are what they say they are."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from tests.dashboards.promql_cases import assert_gives

from tenant_dashboards import expr, signals, usage
from tenant_dashboards.boards import boards, overview, reference_cost, states
from tenant_dashboards.boards.parts import TEAM_SLUGS, Flavour
from tenant_dashboards.expr import TENANT
from tenant_dashboards.panels.encode import to_json
from tenant_dashboards.panels.layout import arrange, panel_id
from tenant_dashboards.panels.model import Board, Kind, Row, above, below
from tenant_dashboards.signals import Metric

GIB = 1024**3
INFO = 'airflow_tenant_info{tenant="pay",namespace="airflow-pay",paused="false"}'
RELEASE = "airflow_tenant_helm_release_info"
REQUESTS = "kube_pod_container_resource_requests"
CPU = "container_cpu_usage_seconds_total"
PRICES = {
    'airflow_cost_unit_price{resource="cpu_core_hour",currency="USD"}': "0.04x60",
    'airflow_cost_unit_price{resource="memory_gib_hour",currency="USD"}': "0.005x60",
    'airflow_cost_unit_price{resource="storage_gib_month",currency="USD"}': "0.08x60",
}


def owner(tenant: str) -> str:
    """The series that says whose namespace airflow-pay is."""
    name = "airflow_tenant_status_condition"
    return f'{name}{{tenant="{tenant}",namespace="airflow-pay",type="NamespaceReady",status="True"}}'


def board(slug: str, flavour: Flavour = Flavour.PLATFORM) -> Board:
    return next(found for found in boards(flavour) if found.slug == slug)


def asked(found: Board) -> str:
    return " ".join(target.expr for panel in found.panels for target in panel.targets)


def test_the_platform_has_six_boards_and_a_team_has_four_of_them() -> None:
    assert [b.uid for b in boards(Flavour.PLATFORM)] == [
        f"airflow-{slug}" for slug in ("overview", "team", "slo", "capacity", "cost", "operator")
    ]
    assert [b.uid for b in boards(Flavour.TEAM)] == [f"__UID_{slug.upper()}__" for slug in TEAM_SLUGS]


def test_a_team_s_board_knows_one_tenant_which_no_link_can_change() -> None:
    for found in boards(Flavour.TEAM):
        variables = {v["name"]: v for v in to_json(found)["templating"]["list"]}
        for name, token in (("tenant", "__TENANT__"), ("namespace", "__NAMESPACE__")):
            assert variables[name]["type"] == "constant"
            assert variables[name]["query"] == token
            assert variables[name]["skipUrlSync"] is True
            assert variables[name]["hide"] == 2
        assert "__TENANT__" in found.title


def test_a_team_s_board_asks_for_nothing_but_its_tenant() -> None:
    """Every selector has the tenant or the namespace; what has neither is for all (prices)."""
    for found in boards(Flavour.TEAM):
        for selector in re.findall(
            r"\b((?:airflow|kube|container|redis|pg|slo)[\w:]+)\{([^}]*)\}", asked(found)
        ):
            name, matchers = selector
            if name != "airflow_cost_unit_price":
                assert 'tenant=~"$tenant"' in matchers or 'namespace=~"$namespace"' in matchers, selector


def test_the_id_of_a_panel_stays_when_rows_and_panels_move() -> None:
    found = board("operator")
    ids = {panel["title"]: panel["id"] for panel in to_json(found)["panels"] if panel["type"] != "row"}
    turned = replace(found, rows=tuple(Row(r.title, r.panels[::-1]) for r in found.rows[::-1]))
    assert ids == {p["title"]: p["id"] for p in to_json(turned)["panels"] if p["type"] != "row"}
    assert panel_id("Health", "Version") != panel_id("Work", "Version")


def test_panels_flow_into_lines_and_a_collapsed_row_takes_one_line() -> None:
    panel = board("operator").panels[0]
    wide = replace(panel, width=13, height=5)
    rows = (Row("a", (wide, wide)), Row("b", (wide,), collapsed=True), Row("c", (wide,)))
    places = [(row.place.y, [(p.x, p.y) for _, p in row.panels]) for row in arrange(rows)]
    assert places == [(0, [(0, 1), (0, 6)]), (11, [(0, 12)]), (12, [(0, 13)])]


def test_every_line_of_panels_fills_the_width() -> None:
    for found in boards(Flavour.PLATFORM):
        for row in arrange(found.rows):
            widths: dict[int, int] = {}
            for _, place in row.panels:
                widths[place.y] = widths.get(place.y, 0) + place.w
            assert set(widths.values()) == {24}, f"{found.slug}, {row.row.title}: {widths}"


def test_thresholds_read_as_they_are_called() -> None:
    assert [(s.value, s.color) for s in above(1, 5)] == [(None, "green"), (1, "orange"), (5, "red")]
    assert [(s.value, s.color) for s in above(1)] == [(None, "green"), (1, "red")]
    assert [(s.value, s.color) for s in below(0.9, 0.5)] == [(None, "red"), (0.5, "orange"), (0.9, "green")]
    assert [(s.value, s.color) for s in below(1)] == [(None, "red"), (1, "green")]


@pytest.mark.covers("M-07")
def test_the_operator_s_board_shows_every_metric_of_the_operator() -> None:
    shown = asked(board("operator"))
    names = [m.name for m in vars(signals).values() if isinstance(m, Metric)]
    wanted = [n for n in names if n.startswith(("airflow_operator_", "process_", "scrape_"))]
    assert len(wanted) > 18
    assert [name for name in wanted if name not in shown] == []


def test_no_tenant_metric_of_the_operator_is_left_out_of_all_boards() -> None:
    shown = " ".join(asked(found) for found in boards(Flavour.PLATFORM))
    shown += " ".join(a.expr for found in boards(Flavour.PLATFORM) for a in found.annotations)
    wanted = [m.name for m in vars(signals).values() if isinstance(m, Metric) and "airflow_tenant_" in m.name]
    # the objective is shown by the record slo:objective:ratio, which also knows the window
    assert [n for n in wanted if n not in shown] == ["airflow_tenant_slo_objective_ratio"]


def test_the_overview_has_what_a_platform_engineer_looks_for_first() -> None:
    titles = {panel.title for panel in board("overview").panels}
    assert {
        "Ready", "Progressing", "Degraded", "Suspended or at rest", "Firing alerts", "Tenants",
        "State of the tenants", "Failed task tries", "Starving tasks", "Cost a day", "Component health",
    } <= titles  # fmt: skip
    table = next(p for p in board("overview").panels if p.title == "Tenants")
    assert [column.title for column in table.columns] == [
        "Tenant", "Team", "Namespace", "State", "Airflow", "Chart", "Executor", "DAGs", "Argo CD", "Alerts",
        "Failures", "Budget", "Quota", "Cost a day",
    ]  # fmt: skip


@pytest.mark.parametrize("slug", ["overview", "slo", "capacity", "cost"])
def test_the_line_of_the_spec_is_drawn_over_what_is_measured(slug: str) -> None:
    lines = [(p, t) for p in board(slug).panels for t in p.targets if t.spec]
    assert lines
    for panel, _ in lines:
        assert panel.kind is Kind.TIMESERIES
        assert any(not target.spec for target in panel.targets), panel.title


STATES = {
    f'airflow_tenant_status_condition{{tenant="{tenant}",type="{kind}",status="True"}}': f"{value}x60"
    for tenant, ready, reconciling in (("a", 1, 0), ("b", 0, 1), ("c", 0, 0), ("d", 1, 0))
    for kind, value in (("Ready", ready), ("Reconciling", reconciling))
} | {
    f'airflow_tenant_info{{tenant="{tenant}",paused="{paused}",state="{state}"}}': "1x60"
    for tenant, paused, state in (
        ("a", "false", "Running"),
        ("b", "false", "Waking"),
        ("c", "false", "Running"),
        ("d", "true", "Hibernated"),
        ("e", "false", "Hibernated"),
        ("f", "false", "Hibernating"),
    )
}


def test_a_tenant_is_ready_on_its_way_degraded_suspended_or_at_rest(tmp_path: Path) -> None:
    expected: dict[str, float] = {
        f'{{tenant="{tenant}"}}': state for tenant, state in zip("abcdef", (2, 1, 0, 3, 4, 4), strict=True)
    }
    assert_gives(tmp_path, STATES, states.state(), expected)


def test_the_lights_of_a_tenant_at_rest_are_not_red(tmp_path: Path) -> None:
    lights = [
        p for p in board("team").panels if p.title in {"Scheduler", "API server", "Database", "DAG sync"}
    ]
    assert len(lights) == 4
    down = {
        'airflow_tenant_component_healthy{tenant="e",component="metadatabase"}': "0x60",
        'git_sync_count_total{tenant="e",status="success"}': "1x60",
    }
    for panel in lights:
        (target,) = panel.targets
        assert_gives(tmp_path, STATES | down, target.expr, {'{tenant="e"}': 3}, tenant="e")
        assert "asleep" in {text.text for text in panel.texts}


def test_who_is_suspended_at_rest_is_paused_in_the_lights_as_in_the_table(tmp_path: Path) -> None:
    lights = [p for p in board("team").panels if "asleep" in {text.text for text in p.texts}]
    assert len(lights) == 6
    for panel in lights:
        assert_gives(tmp_path, STATES, panel.targets[0].expr, {'{tenant="d"}': 2}, tenant="d")


def test_the_ready_are_counted_beside_those_that_nobody_suspended_or_put_to_rest(tmp_path: Path) -> None:
    query = states.ready_of_all()
    assert_gives(tmp_path, STATES, query, {'{ready="1", wanted="3"}': 1 / 3})
    assert_gives(tmp_path, STATES, query, {'{ready="0", wanted="1"}': 0}, tenant="c")
    assert_gives(tmp_path, STATES, query, {}, tenant="d")


def test_states_are_counted_and_none_is_zero(tmp_path: Path) -> None:
    for state in range(5):
        found = 2 if state == states.HIBERNATED else 1
        assert_gives(tmp_path, STATES, states.count(state), {"{}": found})
        assert_gives(tmp_path, STATES, states.count(state), {"{}": int(state == states.READY)}, tenant="a")
    assert_gives(tmp_path, STATES, states.unwanted(), {"{}": 3})
    assert_gives(tmp_path, STATES, states.unwanted(), {"{}": 0}, tenant="a")


def test_the_first_failure_of_a_dag_counts(tmp_path: Path) -> None:
    labels = 'tenant="pay",namespace="airflow-pay",dag_id="d",task_id="t"'
    series = {
        f"airflow_ti_failures{{{labels}}}": "_x55 1x10",  # comes into being with its first failure
        f"airflow_ti_successes{{{labels}}}": "_x20 3x60",
    }
    found = expr.failure_ratio(TENANT, group="tenant", window="1h")
    assert_gives(tmp_path, series, found, {'{tenant="pay"}': 0.25}, at="1h")
    del series[f"airflow_ti_failures{{{labels}}}"]
    assert_gives(tmp_path, series, found, {'{tenant="pay"}': 0}, at="1h")
    assert_gives(tmp_path, {}, found, {}, at="1h")


def test_a_change_is_marked_once_at_its_moment(tmp_path: Path) -> None:
    series = {
        f'{RELEASE}{{tenant="pay",revision="{revision}",chart_version="1",pod="{pod}"}}': values
        for revision, pod, values in (("1", "x", "1x9"), ("2", "x", "_x10 1x20"), ("2", "y", "_x31 1x29"))
    }
    mark = board("overview").annotations[0].expr
    new = {'{tenant="pay",revision="2",chart_version="1"}': 1.0}
    assert_gives(tmp_path, series, mark, {}, at="9m")
    assert_gives(tmp_path, series, mark, new, at="10m")
    assert_gives(tmp_path, series, mark, {}, at="11m")
    assert_gives(tmp_path, series, mark, {}, at="31m")  # another pod of the operator is no release


@pytest.mark.covers("G-15")
def test_the_cost_of_a_day_is_what_is_reserved_times_its_price(tmp_path: Path) -> None:
    pods = {
        f'{REQUESTS}{{namespace="airflow-pay",pod="{pod}",resource="{what}"}}': f"{n}x60"
        for pod in ("running", "ended")
        for what, n in (("cpu", 2), ("memory", 4 * GIB))
    }
    phases = {
        'kube_pod_status_phase{namespace="airflow-pay",pod="running",phase="Running"}': "1x60",
        'kube_pod_status_phase{namespace="airflow-pay",pod="ended",phase="Running"}': "0x60",
        'kube_pod_status_phase{namespace="airflow-pay",pod="ended",phase="Succeeded"}': "1x60",
    }
    name = "kube_persistentvolumeclaim_resource_requests_storage_bytes"
    volume = {f'{name}{{namespace="airflow-pay"}}': f"{100 * GIB}x60"}
    series = {**PRICES, **pods, **phases, owner("pay"): "1x60"}
    found = usage.by_tenant(usage.cost_reserved())
    day = 24 * (2 * 0.04 + 4 * 0.005)
    assert_gives(tmp_path, series, found, {'{tenant="pay"}': day})
    with_volume = day + 100 * 0.08 / 30.4167
    assert_gives(tmp_path, {**series, **volume}, found, {'{tenant="pay"}': with_volume})
    no_prices = {key: value for key, value in series.items() if "price" not in key}
    assert_gives(tmp_path, no_prices, found, {})


def test_a_tenant_that_asks_for_another_ones_namespace_gets_none_of_it(tmp_path: Path) -> None:
    refused = {owner("thief"): "0x60", INFO: "1x60", INFO.replace('"pay"', '"thief"'): "1x60"}
    series = {'kube_pod_info{namespace="airflow-pay"}': "1x60", owner("pay"): "1x60", **refused}
    found = expr.of_tenant("kube_pod_info", expr.TENANT)
    assert_gives(tmp_path, series, found, {'{namespace="airflow-pay", tenant="pay"}': 1})


def test_costs_by_dag_name_their_dags_without_prices(tmp_path: Path) -> None:
    table = next(p for p in board("cost").panels if p.title == "Cost by DAG in the time range")
    pod = 'kube_pod_labels{namespace="airflow-pay",pod="%s",label_dag_id="ledger"}'
    pods = {pod % name: "1x60" for name in ("a", "b")}
    row = '{label_dag_id="ledger", namespace="airflow-pay", row="airflow-pay / ledger"}'
    assert_gives(tmp_path, pods, table.targets[0].expr, {row: 2}, namespace="airflow-pay")
    count = next(column.source for column in table.columns if column.title == "Worker pods")
    assert count == "Value #A"


@pytest.mark.covers("G-15")
def test_what_is_used_is_counted_without_the_pod_s_own_sum_and_idle_is_the_rest(tmp_path: Path) -> None:
    series = {
        'container_cpu_usage_seconds_total{namespace="airflow-pay",pod="p",container="scheduler"}': "0+30x60",
        'container_cpu_usage_seconds_total{namespace="airflow-pay",pod="p",container=""}': "0+30x60",
        'container_cpu_usage_seconds_total{namespace="airflow-pay",pod="p",container="POD"}': "0+30x60",
        'kube_pod_container_resource_requests{namespace="airflow-pay",pod="p",resource="cpu"}': "2x60",
        'kube_pod_status_phase{namespace="airflow-pay",pod="p",phase="Running"}': "1x60",
        **PRICES,
    }
    assert_gives(tmp_path, series, usage.cpu_used(), {'{namespace="airflow-pay"}': 0.5})
    assert_gives(tmp_path, series, usage.cost_used(), {'{namespace="airflow-pay"}': 24 * 0.5 * 0.04})
    assert_gives(tmp_path, series, usage.idle_share("cpu"), {'{namespace="airflow-pay"}': 0.75})
    busy = {key: value.replace("0+30x60", "0+240x60") for key, value in series.items()}
    assert_gives(tmp_path, busy, usage.idle_share("cpu"), {'{namespace="airflow-pay"}': 0})


@pytest.mark.covers("G-15")
def test_a_dag_costs_what_its_worker_pods_used_also_those_that_are_gone(tmp_path: Path) -> None:
    labels = 'namespace="airflow-pay",pod="settle-1"'
    series = {
        f'kube_pod_labels{{{labels},label_dag_id="settlement"}}': "_x10 1x1 _x48",
        'kube_pod_labels{namespace="airflow-pay",pod="scheduler-0"}': "1x60",
        f'container_cpu_usage_seconds_total{{{labels},container="base"}}': "_x10 90 180 _x48",
        f'{CPU}{{namespace="airflow-pay",pod="scheduler-0",container="c"}}': "0+60x60",
        f'container_memory_working_set_bytes{{{labels},container="base"}}': f"_x10 {GIB}x1 _x48",
        **PRICES,
    }
    dag = '{namespace="airflow-pay",label_dag_id="settlement"}'
    assert_gives(tmp_path, series, usage.dag_cpu_cost(), {dag: 180 / 3600 * 0.04})
    # two samples, and five minutes for which Prometheus still finds the last one when nothing marked its end
    assert_gives(tmp_path, series, usage.dag_memory_cost(), {dag: 6 / 60 * 0.005})


def test_the_fullest_resource_is_the_quota_s_share(tmp_path: Path) -> None:
    series = {
        f'kube_resourcequota{{namespace="airflow-pay",resource="{resource}",type="{kind}"}}': f"{value}x60"
        for resource, used, hard in (("requests.cpu", 2, 8), ("pods", 9, 10), ("count/x", 0, 0))
        for kind, value in (("used", used), ("hard", hard))
    }
    assert_gives(tmp_path, series, usage.quota_share(), {'{namespace="airflow-pay"}': 0.9})


@pytest.mark.covers("G-15")
@pytest.mark.covers("S003-30")
def test_the_reference_platform_s_prices_add_up(tmp_path: Path) -> None:
    table = reference_cost.load()
    assert len(table["items"]) == 15
    assert round(sum(item["cost"] for item in table["items"]), 2) == table["total"] == 1861.58
    content = reference_cost.panel().content
    assert "**1,861.58**" in content
    assert all(item["item"] in content for item in table["items"])
    table["items"][0]["cost"] += 0.01
    wrong = tmp_path / "cost.yaml"
    wrong.write_text(yaml.safe_dump(table), encoding="utf-8")
    with pytest.raises(ValueError, match=r"add up to 1861\.59, the total says 1861\.58"):
        reference_cost.load(wrong)


def test_an_alert_without_a_tenant_is_in_the_list_of_the_overview(tmp_path: Path) -> None:
    alert = 'alertname="AirflowOperatorDown",severity="critical",priority="P1"'
    series = {f'ALERTS{{{alert},alertstate="firing"}}': "1x60", f"ALERTS_FOR_STATE{{{alert}}}": "600x60"}
    panel = next(p for p in overview.build().panels if p.title == "Firing alerts")
    assert_gives(tmp_path, series, panel.targets[0].expr, {f"{{{alert}}}": 3000})
