"""docs/security-model.md says what the charts really give and what the tests really prove."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from tests.charts.configurations import KUBERNETES, LOCAL
from tests.charts.support import RELEASE, render_chart
from tests.docs.built import ROOT

PAGE = (ROOT / "docs" / "security-model.md").read_text()
KEYS = {
    "database": f"{RELEASE}-metadata",
    "Fernet": f"{RELEASE}-fernet-key",
    "JWT": f"{RELEASE}-jwt-secret",
    "API": f"{RELEASE}-api-secret-key",
}
OWN = "the team's own Secrets (`airflow.env`)"
#: row of the table -> (values, component of the chart)
ROWS = {
    "API server": (LOCAL, "api-server"),
    "scheduler, KubernetesExecutor": (KUBERNETES, "scheduler"),
    "scheduler, LocalExecutor: tasks run in it": (LOCAL, "scheduler"),
    "DAG processor": (LOCAL, "dag-processor"),
    "triggerer": (LOCAL, "triggerer"),
    "task pod (KubernetesExecutor)": (KUBERNETES, "worker"),
    "migration Job": (LOCAL, "migrate-database"),
}


def table(after: str) -> dict[str, dict[str, str]]:
    """The first table behind a text: row -> column -> cell."""
    lines = PAGE[PAGE.index(after) :].split("\n\n", 2)[1].strip().splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: dict(zip(rows[0], row, strict=True)) for row in rows[2:]}


def secrets(values: dict[str, Any], component: str) -> set[str]:
    own = {"env": [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "own", "key": "token"}}}]}
    container = render_chart({**values, **own}).pods[component].main
    references = [entry.get("valueFrom", {}).get("secretKeyRef", {}) for entry in container["env"]]
    return {reference["name"] for reference in references if reference}


@pytest.mark.parametrize("row", ROWS)
def test_each_component_reads_the_keys_that_the_table_says(row: str) -> None:
    cells = table("Which component reads which key:")[row]
    said = {secret for key, secret in {**KEYS, OWN: "own"}.items() if cells[key] == "x"}
    assert secrets(*ROWS[row]) & {*KEYS.values(), "own"} == said


def test_the_table_of_keys_has_no_other_row() -> None:
    assert set(table("Which component reads which key:")) == set(ROWS)


def test_every_defended_threat_names_what_proves_it_and_no_other_threat_does() -> None:
    for threat, cells in table("## Threats").items():
        proven = "](../tests/" in cells["proven by"]
        open_ = cells["defended"].startswith(("**no**", "not yet"))
        assert proven is not open_, threat


def test_the_operator_s_rights_are_listed_one_by_one() -> None:
    """The page says that there is no `*`, and that no Secret is read outside of tenants."""
    texts = [
        (ROOT / place).read_text()
        for place in re.findall(
            r"\]\(\.\./(charts/tenant-operator/templates/clusterrole[a-z-]*\.yaml)\)", PAGE
        )
    ]
    assert len(texts) == 2
    rules = [
        rule
        for text in texts
        for rule in yaml.safe_load("rules:" + re.split(r"\nrules:", text)[1].split("\n---")[0])["rules"]
    ]
    assert "*" not in [word for rule in rules for words in rule.values() for word in words]
    everywhere = yaml.safe_load("rules:" + re.split(r"\nrules:", texts[0])[1].split("\n---")[0])["rules"]
    assert "secrets" not in [resource for rule in everywhere for resource in rule["resources"]]
