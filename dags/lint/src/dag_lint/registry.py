"""The table of rules. A rule is a function; its docstring is what `--explain` prints."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dag_lint.findings import Finding, Severity

if TYPE_CHECKING:
    from dag_lint.context import Context
    from dag_lint.project import Project

_ID = re.compile(r"L-\d\d$")


@dataclass
class Rule:
    """One rule with its documentation and the functions that find its violations.

    `convention`: a habit of a project, not a defect; off unless configured.
    """

    id: str
    name: str
    severity: Severity
    convention: bool = False
    fixable: bool = False
    summary: str = ""
    rationale: str = ""
    bad: str = ""
    good: str = ""
    checks: list[Callable[[Context], Iterator[Finding]]] = field(default_factory=list)
    project_checks: list[Callable[[Project], Iterator[Finding]]] = field(default_factory=list)


RULES: dict[str, Rule] = {}


def rule(
    rule_id: str, name: str, severity: Severity, *, convention: bool = False, fixable: bool = False
) -> Callable[[Callable[[Context], Iterator[Finding]]], Callable[[Context], Iterator[Finding]]]:
    """Register a check of single files. The docstring: summary, rationale, `Bad:` and `Good:` examples."""

    def register(check: Callable[[Context], Iterator[Finding]]) -> Callable[[Context], Iterator[Finding]]:
        made = Rule(rule_id, name, severity, convention, fixable)
        _document(made, inspect.getdoc(check) or "")
        made.checks.append(check)
        RULES[rule_id] = made
        return check

    return register


def project_rule(
    rule_id: str,
) -> Callable[[Callable[[Any], Iterator[Finding]]], Callable[[Any], Iterator[Finding]]]:
    """Register a check over all files for a rule that exists already."""

    def register(check: Callable[[Any], Iterator[Finding]]) -> Callable[[Any], Iterator[Finding]]:
        RULES[rule_id].project_checks.append(check)
        return check

    return register


def known(rule_id: str) -> bool:
    """Whether there is such a rule."""
    return bool(_ID.match(rule_id)) and rule_id in RULES


def _document(made: Rule, text: str) -> None:
    head, _, examples = text.partition("\nBad:\n")
    bad, _, good = examples.partition("\nGood:\n")
    made.summary, _, rationale = head.partition("\n")
    made.rationale = rationale.strip()
    made.bad, made.good = textwrap.dedent(bad).strip("\n"), textwrap.dedent(good).strip("\n")
