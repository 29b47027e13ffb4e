"""The page of choices: every question with its answers side by side, and a first step for each."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "choices.md"

#: What each table has to compare: a word of each row's first cell.
TABLES = {
    "Branching": ["@task.branch", "@task.short_circuit", "AirflowSkipException"],
    "Database": [
        "db clean",
        "larger",
        "read replica",
        "serialized",
        "one Airflow per team",
        "KubernetesExecutor",
    ],
    "Retries": ["retry_delay", "exponential", "callbacks", "own decision"],
    "Data quality": ["functions", "alerts are few", "one place", "rehearsed"],
    "Hybrid: own machines and cloud": ["SSHOperator", "KubernetesPodOperator", "cloud's own operators"],
    "Logs": ["S3", "Elasticsearch", "CloudWatch"],
    "Performance": ["better code", "several DAGs", "executor"],
    "Organization of many DAGs": ["folders", "tags", "roles"],
    "Secure transfer": ["connections", "Vault", "allow-lists", "private links"],
    "In short": [
        "branching",
        "database",
        "retries",
        "quality",
        "hybrid",
        "observability",
        "slow",
        "many",
        "secrets",
    ],
}


def sections() -> dict[str, str]:
    parts = re.split(r"^## (.+)$", PAGE.read_text(), flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def rows(section: str) -> list[list[str]]:
    """The cells of all tables of a section, heads left out."""
    found = []
    for table in re.findall(r"(?:^\|.*\n)+", section, re.MULTILINE):
        lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
        found += lines[2:]
    return found


@pytest.mark.covers("S000-31")
def test_there_are_ten_comparisons() -> None:
    assert list(sections()) == list(TABLES)


@pytest.mark.covers("S000-31")
@pytest.mark.parametrize("name", TABLES)
def test_a_comparison_has_every_answer_and_fills_every_cell(name: str) -> None:
    found = rows(sections()[name])
    firsts = [row[0] for row in found]
    assert [word for word in TABLES[name] if not any(word in first for first in firsts)] == []
    assert [row for row in found if not all(row)] == []
    assert len({len(row) for row in found}) <= 2, "a row has a cell too many or too few"


@pytest.mark.covers("S000-31")
@pytest.mark.parametrize("name", [name for name in TABLES if name != "In short"])
def test_a_comparison_ends_with_what_to_take(name: str) -> None:
    advice = re.sub(r"^\|.*\n", "", sections()[name], flags=re.MULTILINE).strip()
    assert len(advice.split()) >= 15


def test_nothing_is_recommended_that_airflow_3_has_removed() -> None:
    gone = (
        "SubDag",
        "schedule_interval",
        "sla_miss_callback",
        "SimpleHttpOperator",
        "provide_context",
        "DummyOperator",
    )
    assert [word for word in gone if word in PAGE.read_text()] == []


@pytest.mark.covers("X-11")
def test_nobody_is_sent_to_a_replica_of_the_database() -> None:
    """Airflow has no such option: what helps is a larger database, and PgBouncer before it."""
    found = {row[0]: row for row in rows(sections()["Database"])}
    assert found["read replica"][-1].startswith("nobody")
    assert "PgBouncer" in found["read replica"][-1]
    assert "a larger or a managed database" in found
    root = PAGE.parents[1]
    options = next(
        (root / ".venv-airflow").glob("lib/python3*/site-packages/airflow/config_templates/config.yml")
    )
    assert "sql_alchemy_conn:" in options.read_text()
    assert "replica" not in options.read_text()
    for values in root.glob("charts/*/values.yaml"):
        assert "replica_conn" not in values.read_text()


@pytest.mark.covers("S000-17")
def test_the_way_between_own_machines_and_the_cloud_is_private_and_both_ends_are_known() -> None:
    section = " ".join(sections()["Hybrid: own machines and cloud"].split())
    for word in ("VPN", "Direct Connect", "SSH certificates", "IAM roles", "`known_hosts`", "access keys"):
        assert word in section, word
    fields = (PAGE.parents[1] / "operator/src/tenant_operator/plan/secrets.py").read_text()
    assert '"known_hosts"' in fields, "the Secret of a repository by SSH holds it"
