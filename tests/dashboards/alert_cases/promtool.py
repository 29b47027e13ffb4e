"""The cases as promtool's unit tests, and promtool itself."""

from __future__ import annotations

import re
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import yaml
from tests.dashboards.alert_cases import availability, platform, stores, work
from tests.dashboards.alert_cases.case import Case, Fires, series

from devcluster.tools import tool
from tenant_dashboards.alerts import registry, render
from tenant_dashboards.alerts.model import Alert

CASES: tuple[Case, ...] = (*platform.CASES, *availability.CASES, *work.CASES, *stores.CASES)
GROUPS = render.groups(render.RUNBOOK_URL, render.GRAFANA_URL)


def name_of(case: Case) -> str:
    return f"{case.alert} {'fires' if isinstance(case, Fires) else 'is silent'}: {case.title}"


def minutes(duration: str) -> int:
    return int(duration.removesuffix("m")) if duration else 0


def rendered(template: str, case: Fires) -> str:
    """What Prometheus makes of an annotation for this case."""

    def value_of(match: re.Match[str]) -> str:
        words = match[1].split()
        if words[0] == "$value":
            return case.shown
        value = case.all_labels[words[0].removeprefix("$labels.")]
        return quote_plus(value) if words[-1] == "urlquery" else value

    return re.sub(r"\{\{ (.+?) \}\}", value_of, template)


def _expected(alert: Alert, case: Fires) -> dict[str, dict[str, str]]:
    page = f"{render.RUNBOOK_URL}#{case.alert.lower()}"
    return {
        "exp_labels": {"severity": alert.severity, "priority": alert.priority, **case.all_labels},
        "exp_annotations": {
            "summary": rendered(alert.summary, case),
            "description": rendered(alert.description, case),
            "runbook_url": page,
            "dashboard_url": render.GRAFANA_URL + rendered(alert.link.path(), case),
        },
    }


def _checks(case: Case, variant: str) -> list[dict[str, object]]:
    name = case.alert + variant
    if not isinstance(case, Fires):
        return [{"eval_time": f"{case.at}m", "alertname": name, "exp_alerts": []}]
    alert = registry.by_name(case.alert)
    fires = case.since + minutes(alert.hold)
    made: list[dict[str, object]] = [
        {"eval_time": f"{fires}m", "alertname": name, "exp_alerts": [_expected(alert, case)]}
    ]
    if fires:
        made.append({"eval_time": f"{fires - 1}m", "alertname": name, "exp_alerts": []})
    return made


def write(
    folder: Path,
    name: str,
    cases: Iterable[Case],
    groups: list[dict[str, Any]],
    active: dict[str, Any] = GROUPS["active"],
    variants: Sequence[str] = ("",),
) -> Path:
    """A test file with its rules; the groups that record what these read go first.

    Every case is checked with each variant of its alert: rules whose names end in one of `variants`. What
    costs time is a case, its series and its records, not the rules beside each other that look at them.
    """
    groups = [active, *([GROUPS["edge"]] if "airflow_edge_" in str(groups) else []), *groups]
    rules = folder / f"{name}.rules.yaml"
    rules.write_text(yaml.safe_dump({"groups": groups}), encoding="utf-8")
    tests = [
        {
            "name": name_of(case),
            "interval": "1m",
            "input_series": [
                {"series": series(metric), "values": values}
                for metric, values in {**case.base, **case.series}.items()
            ],
            "alert_rule_test": [check for variant in variants for check in _checks(case, variant)],
        }
        for case in cases
    ]
    content: dict[str, Any] = {
        "rule_files": [rules.name],
        "evaluation_interval": "1m",
        "group_eval_order": [group["name"] for group in groups],
        "tests": tests,
    }
    path = folder / f"{name}.tests.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def run(folder: Path, paths: Iterable[Path]) -> dict[str, dict[str, str]]:
    """One call for all: file name -> name of each test -> what went wrong, empty if it passed."""
    report = folder / "report.xml"
    done = subprocess.run(
        [str(tool("promtool")), "test", "rules", f"--junit={report}", *map(str, paths)],
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert report.exists(), done.stderr + done.stdout
    found: dict[str, dict[str, str]] = {}
    for suite in ElementTree.parse(report).iter("testsuite"):  # noqa: S314 our own promtool wrote it
        found[Path(suite.attrib["name"]).name] = {
            case.attrib["name"]: "\n".join(node.text or "" for node in case.iter("failure"))
            for case in suite.iter("testcase")
        }
    return found


def noticed(outcomes: Mapping[str, Mapping[str, str]]) -> set[str]:
    """The rules that did something else than a case wants, or that could not be computed."""
    failures = "\n".join(failure for results in outcomes.values() for failure in results.values())
    return set(re.findall(r"^ *(?:alertname|rule): ([\w:]+), time: ", failures, flags=re.MULTILINE))
