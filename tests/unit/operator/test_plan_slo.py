"""Names, labels and texts of the SLO rules; what they compute is in test_plan_slo_promtool.py."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.operator.support import tenant

from devcluster.tools import tool
from tenant_operator.plan.slo import Links, rule_groups

EVERY_METRIC: list[dict[str, Any]] = [
    {"name": "runs", "metric": "dagRunSuccess", "objective": "99.5", "dag": "settlement"},
    {"name": "tasks", "metric": "taskSuccess", "objective": "99"},
    {"name": "quick", "metric": "dagRunDuration", "objective": "95", "threshold": "10m", "window": "28d"},
    {"name": "punctual", "metric": "scheduleDelay", "objective": "99.999", "threshold": "1m", "window": "7d"},
    {"name": "deadlines", "metric": "deadlines", "objective": "50"},
]
LINKS = Links("https://example.com/runbook", "https://grafana.example.com/d/slo-payments")
PLACE = {"tenant": "payments", "namespace": "airflow-payments"}


def rules(*slo: dict[str, Any], links: Links = LINKS, **monitoring: Any) -> list[dict[str, Any]]:
    groups = rule_groups(tenant(monitoring={"slo": list(slo), **monitoring}), links)
    return [rule for group in groups for rule in group["rules"]]


def alerts(*slo: dict[str, Any], **more: Any) -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for rule in rules(*slo, **more) if "alert" in rule}


def test_promtool_takes_the_rules_of_every_metric(tmp_path: Path) -> None:
    groups = rule_groups(tenant(monitoring={"slo": EVERY_METRIC}), LINKS)
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}))
    done = subprocess.run(
        [str(tool("promtool")), "check", "rules", "--lint=all", "--lint-fatal", "rules.yaml"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert len({group["name"] for group in groups}) == len(groups) == 2 * len(EVERY_METRIC)


@pytest.mark.parametrize("slo", EVERY_METRIC, ids=lambda slo: str(slo["metric"]))
def test_records_have_sloth_s_names_and_labels(slo: dict[str, Any]) -> None:
    period = slo.get("window", "30d")
    records = [rule for rule in rules(slo) if "record" in rule]
    names = {rule["record"] for rule in records}
    windows = {"5m", "30m", "1h", "2h", "6h", "1d", "3d", period}
    assert names == {f"slo:sli_error:ratio_rate{window}" for window in windows} | {
        "slo:sli_errors:increase5m",
        "slo:sli_events:increase5m",
        "slo:objective:ratio",
        "slo:error_budget:ratio",
        "slo:time_period:days",
        "slo:current_burn_rate:ratio",
        "slo:period_burn_rate:ratio",
        "slo:period_error_budget_remaining:ratio",
        "sloth_slo_info",
    }
    ids = {"sloth_id": f"payments-{slo['name']}", "sloth_service": "payments", "sloth_slo": slo["name"]}
    for rule in records:
        assert rule["labels"].items() >= (ids | PLACE).items(), rule["record"]
        if rule["record"].startswith("slo:sli_error:"):
            assert rule["labels"]["sloth_window"] == rule["record"].removeprefix("slo:sli_error:ratio_rate")
    info = next(rule for rule in records if rule["record"] == "sloth_slo_info")
    assert info["labels"]["sloth_objective"] == slo["objective"]


@pytest.mark.parametrize(
    ("objective", "budget"), [("99.5", "0.005"), ("99", "0.01"), ("99.999", "0.00001"), ("0.1", "0.999")]
)
def test_the_budget_is_exact(objective: str, budget: str) -> None:
    found = {rule.get("record"): rule["expr"] for rule in rules({**EVERY_METRIC[0], "objective": objective})}
    assert found["slo:error_budget:ratio"] == f"vector({budget})"


def test_every_record_that_a_rule_reads_is_made_by_one() -> None:
    mine = rules(*EVERY_METRIC)
    made = {rule["record"] for rule in mine if "record" in rule}
    read = {name for rule in mine for name in re.findall(r"slo:[a-z0-9_:]+", rule["expr"])}
    assert read <= made


def test_alerts_say_whom_they_are_about_and_where_to_look() -> None:
    found = alerts(EVERY_METRIC[0])
    urgency = {
        name: (rule["labels"]["severity"], rule["labels"]["priority"], rule.get("for", ""))
        for name, rule in found.items()
    }
    assert urgency == {
        "AirflowSLOBurnFast": ("critical", "P1", "2m"),
        "AirflowSLOBurnSlow": ("warning", "P2", "15m"),
        "AirflowSLOSeriesAbsent": ("warning", "P2", ""),
    }
    for name, rule in found.items():
        wanted = {**PLACE, "team": "pay", "slo": "runs", "dag_id": "settlement"}
        assert rule["labels"].items() >= wanted.items()
        notes = rule["annotations"]
        assert notes["runbook_url"] == f"https://example.com/runbook#{name.lower()}"
        assert notes["dashboard_url"] == "https://grafana.example.com/d/slo-payments?var-slo=runs"
        assert "runs" in notes["summary"]
        assert "payments" in notes["summary"]
        assert "settlement" in notes["description"]


def test_a_dashboard_address_that_has_a_query_keeps_it() -> None:
    links = Links("", "https://g/d/airflow-slo?var-tenant=payments")
    (notes,) = {
        rule["annotations"]["dashboard_url"] for rule in alerts(EVERY_METRIC[0], links=links).values()
    }
    assert notes == "https://g/d/airflow-slo?var-tenant=payments&var-slo=runs"


def test_without_addresses_there_are_no_links() -> None:
    for rule in alerts(EVERY_METRIC[0], links=Links()).values():
        assert rule["annotations"].keys() == {"summary", "description"}


@pytest.mark.parametrize(
    ("objective", "fast", "slow"),
    [("99.5", ["0.0720", "0.030"], ["0.015", "0.005"]), ("90", ["0.6"], ["0.3", "0.1"]), ("60", [], ["0.4"])],
)
def test_a_burn_rate_that_no_failure_can_reach_is_no_rule(
    objective: str, fast: list[str], slow: list[str]
) -> None:
    """At 90 % even failures alone burn at 10, not at 14.4; at 60 % at 2.5."""
    found = alerts({**EVERY_METRIC[1], "objective": objective})
    for name, wanted in (("AirflowSLOBurnFast", fast), ("AirflowSLOBurnSlow", slow)):
        limits = (
            re.findall(r"ratio_rate\w+\{[^}]*\} > ([0-9.]+)", found[name]["expr"]) if name in found else []
        )
        assert [float(limit) for limit in limits] == [float(limit) for limit in wanted]


def test_switched_off_alerts_leave_the_records() -> None:
    mine = rules(*EVERY_METRIC, alerts={"enabled": False})
    assert mine
    assert all("record" in rule for rule in mine)


def test_two_tenants_whose_names_run_into_each_other_stay_apart() -> None:
    """Sloth's id is the same for both; the rules select by tenant and name."""
    one = rule_groups(tenant("a-b", monitoring={"slo": [{**EVERY_METRIC[1], "name": "c"}]}), LINKS)
    two = rule_groups(tenant("a", monitoring={"slo": [{**EVERY_METRIC[1], "name": "b-c"}]}), LINKS)
    selected = [
        set(re.findall(r"\{sloth_service[^}]*\}", rule["expr"]))
        for groups in (one, two)
        for group in groups
        for rule in group["rules"]
    ]
    assert set().union(*selected) == {
        '{sloth_service="a-b",sloth_slo="c"}',
        '{sloth_service="a",sloth_slo="b-c"}',
    }


def test_no_objective_no_rules() -> None:
    assert rule_groups(tenant(), LINKS) == []
