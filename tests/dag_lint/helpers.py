"""Lint texts in memory. In a sample each line that must be found ends with `# !`; all others must not be."""

from __future__ import annotations

import textwrap
from pathlib import Path

from dag_lint import engine, fixes
from dag_lint.config import Config
from dag_lint.findings import Finding
from dag_lint.registry import RULES
from dag_lint.selection import selected
from dag_lint.tenant import Tenant

SDK = (
    "from airflow.sdk import DAG, Variable, chain, cross_downstream, dag, setup, task, task_group, teardown\n"
)


def options(
    rules: set[str], config: Config | None = None, tenants: list[Tenant] | None = None
) -> engine.Options:
    return engine.Options(rules, config or Config(), tenants or [], Path.cwd(), Path.cwd())


def lint(
    text: str,
    rule: str,
    *,
    path: str = "dags/sample.py",
    config: Config | None = None,
    tenants: list[Tenant] | None = None,
) -> list[Finding]:
    """The findings of one rule in a text."""
    report = engine.lint_text(path, textwrap.dedent(text), options({rule}, config, tenants))
    assert not report.failures
    return report.findings


def check(rule: str, *samples: str, **settings: object) -> None:
    """In each sample exactly the marked lines are found."""
    for sample in samples:
        text = textwrap.dedent(sample)
        expected = {
            number for number, line in enumerate(text.splitlines(), 1) if line.rstrip().endswith("# !")
        }
        findings = lint(text, rule, **settings)  # type: ignore[arg-type]
        found = {finding.line for finding in findings}
        shown = "\n".join(f"{number:3} {line}" for number, line in enumerate(text.splitlines(), 1))
        assert found == expected, f"{rule}: expected {sorted(expected)}\n{findings}\n{shown}"
        assert all(finding.rule == rule for finding in findings)


def default_rules() -> set[str]:
    return selected(Config(), [], [])


def fixed(text: str, rules: set[str] | None = None) -> str:
    """The text after --fix."""
    chosen = options(rules if rules is not None else set(RULES) - {"L-00"})

    def findings(current: str) -> list[Finding]:
        return engine.lint_own("dags/sample.py", current, chosen).findings

    return fixes.fix_text(textwrap.dedent(text), findings)[0]


def check_fix(before: str, after: str, rules: set[str] | None = None) -> None:
    """--fix turns one text into the other, which it then leaves alone and which parses."""
    result = fixed(before, rules)
    assert result == textwrap.dedent(after)
    compile(result, "fixed", "exec")
    assert fixed(result, rules) == result
