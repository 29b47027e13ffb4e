"""The index pages say what the library holds."""

from __future__ import annotations

import re

import pytest
from tests.dags.catalogue import PHASES
from tests.dags.home import LIBRARY, ROOT
from tests.dags.library import bag
from tools import dag_index


@pytest.fixture(scope="module")
def found() -> list[dag_index.Entry]:
    return dag_index.entries()


@pytest.mark.covers("P00.5")
def test_the_pages_are_those_of_today(found: list[dag_index.Entry]) -> None:
    assert (ROOT / "docs" / "dags.md").read_text() == dag_index.docs_page(found), "run 'make generate'"
    assert (LIBRARY / "airflow_usecases.md").read_text() == dag_index.overview_page(found)


@pytest.mark.covers("P00.5")
def test_the_overview_counts_the_dags_of_each_phase() -> None:
    text = (LIBRARY / "airflow_usecases.md").read_text()
    rows = re.findall(r"^\| (\d+) \| \[([^\]]+)\]\(phase\d+\) \| (\d+) \| ([^|]+) \|$", text, re.MULTILINE)
    counts = {int(phase): int(count) for phase, _, count, _ in rows}
    in_bag = [dag_id for dag_id in bag().dags if "__" not in dag_id]
    assert counts == {
        phase: sum(dag_id.startswith(f"phase{phase}_") for dag_id in in_bag) for phase in PHASES
    }
    assert all(topic and focus.strip() for _, topic, _, focus in rows)


@pytest.mark.covers("P00.5")
def test_the_learning_path_leads_through_all_phases_in_order() -> None:
    text = (LIBRARY / "airflow_usecases.md").read_text()
    steps = re.findall(r"^\d\. \*\*([^*]+)\*\*: (.*)$", text, re.MULTILINE)
    assert {step: [int(phase) for phase in re.findall(r"\[(\d+) ", topics)] for step, topics in steps} == {
        "Beginner": [1, 2, 3, 4],
        "Intermediate": [5, 6],
        "Advanced": [7, 8, 9],
        "Enterprise foundation": [10, 11, 12],
        "Orchestration": [13, 14, 15],
        "Security and governance": [16, 17],
        "MLOps": [18],
    }


def test_every_link_of_the_pages_leads_somewhere() -> None:
    for page in (ROOT / "docs" / "dags.md", LIBRARY / "airflow_usecases.md"):
        text = page.read_text()
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
            assert (page.parent / target).exists(), (page, target)
    headings = {
        dag_index.anchor(line.lstrip("# ")) for line in (ROOT / "docs/dags.md").read_text().splitlines()
    }
    anchors = re.findall(r"#(phase-[a-z0-9-]+)\)", (LIBRARY / "airflow_usecases.md").read_text())
    assert set(anchors) <= headings


def test_every_dag_is_found_by_need_and_no_need_names_an_unknown_one(found: list[dag_index.Entry]) -> None:
    known = {entry.dag_id for entry in found}
    assert dag_index.needs(known)
    with pytest.raises(ValueError, match="do not exist"):
        dag_index.needs(known - {"phase4_04_dynamic_tasks"})
    with pytest.raises(ValueError, match="no need leads to new_dag"):
        dag_index.needs(known | {"new_dag"})


def test_every_dag_says_what_it_shows(found: list[dag_index.Entry]) -> None:
    assert [entry.dag_id for entry in found if not entry.title or len(entry.shows) < 40] == []


@pytest.mark.covers("X-38")
def test_lineage_is_the_provider_s_style_is_ruff_s_and_the_counts_of_the_pages_are_those_of_the_bag() -> None:
    for lock in ("images/airflow/requirements.lock", "tests/dags/requirements.lock"):
        text = (ROOT / lock).read_text()
        assert not re.search(r"^openlineage-airflow\b", text, re.MULTILINE), "that package is dead"
        assert "==" in text
    assert re.search(
        r"^apache-airflow-providers-openlineage==",
        (ROOT / "tests/dags/requirements.lock").read_text(),
        re.MULTILINE,
    )
    tools = (ROOT / "requirements.lock").read_text()
    assert re.search(r"^ruff==", tools, re.MULTILINE)
    assert re.findall(r"^(?:pylint|flake8|black)==", tools, re.MULTILINE) == []
    assert "ruff" in (LIBRARY / "phase11" / "02_cicd_patterns.py").read_text()
    in_bag = [dag_id for dag_id in bag().dags if re.match(r"phase\d+_\d\d_", dag_id) and "__" not in dag_id]
    text = (LIBRARY / "airflow_usecases.md").read_text()
    counts = re.findall(r"^\| \d+ \| \[[^\]]+\]\(phase\d+\) \| (\d+) \|", text, re.MULTILINE)
    assert sum(map(int, counts)) == len(in_bag) == 53
