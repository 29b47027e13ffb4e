"""Every rule is explained, and its examples are what the rule says they are."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest
import yaml
from tests.dag_lint.helpers import lint

from dag_lint import docs
from dag_lint.config import KEYS
from dag_lint.registry import RULES
from dag_lint.tenant import Tenant

ROOT = Path(__file__).parents[2]
OVER_FILES = {"L-00", "L-40"}


def test_there_are_forty_rules_and_the_one_on_suppressions() -> None:
    assert sorted(RULES) == [f"L-{number:02d}" for number in range(41)]


@pytest.mark.parametrize("rule_id", sorted(RULES))
def test_a_rule_has_summary_rationale_and_examples(rule_id: str) -> None:
    rule = RULES[rule_id]
    assert 20 < len(rule.summary) < 170
    assert rule.summary.endswith(".")
    assert len(rule.rationale) > 60
    assert rule.name == rule.name.lower()
    for example in (rule.bad, rule.good):
        ast.parse(example)
    assert rule.bad != rule.good


@pytest.mark.parametrize("rule_id", sorted(set(RULES) - OVER_FILES))
def test_the_bad_example_is_found_and_the_good_one_is_not(rule_id: str) -> None:
    rule = RULES[rule_id]
    tenants = [Tenant("ml", "ml", pools={"gpu_pool": 2})] if rule_id == "L-25" else []
    settings = {"tenants": tenants}
    good = "dags/team_analytics/reporting/sales.py" if rule_id == "L-19" else "dags/sales.py"
    assert lint(rule.bad, rule_id, path="dags/sales.py", **settings)  # type: ignore[arg-type]
    assert not lint(rule.good, rule_id, path=good, **settings)  # type: ignore[arg-type]


def test_the_reference_is_generated(tmp_path: Path) -> None:
    assert (ROOT / "docs/dag-lint.md").read_text() == docs.reference()
    page = tmp_path / "x.md"
    assert docs.main(["--check", str(page)]) == 1
    assert docs.main([str(page)]) == 0
    assert docs.main(["--check", str(page)]) == 0


def test_the_readme_names_every_setting_and_option() -> None:
    text = (ROOT / "dags/lint/README.md").read_text()
    assert [key for key in KEYS if f"`{key}`" not in text] == []
    from dag_lint.cli import parser

    options = [
        option for action in parser()._actions for option in action.option_strings if option.startswith("--")
    ]
    assert [option for option in options if option not in text and option != "--help"] == []


def test_the_hook_runs_the_installed_command() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert hook["id"] == "dag-lint"
    assert hook["entry"] == "dag-lint"
    assert hook["language"] == "python"
    assert hook["additional_dependencies"] == ["./dags/lint"]
    assert (ROOT / "dags/lint/pyproject.toml").is_file()


def test_an_unknown_option_writes_no_file(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert docs.main(["--help"]) == 2
    assert list(tmp_path.iterdir()) == []


def test_an_installation_from_the_clone_leaves_nothing_to_commit() -> None:
    for name in ("airflow_tenants.egg-info/PKG-INFO", "dags/lint/src/dag_lint.egg-info/PKG-INFO"):
        assert subprocess.run(["git", "check-ignore", "-q", name], cwd=ROOT, check=False).returncode == 0
