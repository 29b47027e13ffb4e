"""One file: parse, evaluate, run the rules. Runs in worker processes, so everything here can be pickled."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from dag_lint.config import Config
from dag_lint.context import Context
from dag_lint.findings import Finding
from dag_lint.interp import evaluate
from dag_lint.names import is_airflow
from dag_lint.project import DagFact, Facts
from dag_lint.registry import RULES, Rule
from dag_lint.rules.removed import guarded
from dag_lint.source import Source, Suppression
from dag_lint.tenant import Tenant


@dataclass
class FileResult:
    """What came out of a file. `failure`: a defect of the linter, not of the file."""

    path: str
    findings: list[Finding] = field(default_factory=list)
    suppressions: list[Suppression] = field(default_factory=list)
    facts: Facts | None = None
    failure: str = ""


def decode(data: bytes) -> str:
    """The text of a Python file by its coding line; what cannot be decoded is replaced."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return data.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
    except (SyntaxError, UnicodeDecodeError, LookupError):
        return (
            data.decode("utf-8", errors="replace")
            .removeprefix("\ufeff")
            .replace("\r\n", "\n")
            .replace("\r", "\n")
        )


def undecodable(data: bytes) -> int:
    """The line that cannot be decoded by the coding line of the file, 0 when all can."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        data.decode(encoding)
    except UnicodeDecodeError as error:
        return data.count(b"\n", 0, error.start) + 1
    except (SyntaxError, LookupError):
        return 1
    return 0


def analyze(path: str, text: str, rules: Iterable[str], config: Config, tenants: list[Tenant]) -> FileResult:
    """All findings of these rules in a file, unsorted and with nothing suppressed."""
    source = Source(path, text)
    context = Context(source, evaluate(source), config, tenants)
    result = FileResult(path, suppressions=source.suppressions, facts=_facts(context))
    for rule_id in rules:
        if source.tree is None and rule_id not in {"L-36", "L-04"}:
            continue
        result.findings.extend(_run(RULES[rule_id], context))
    return result


def _run(rule: Rule, context: Context) -> list[Finding]:
    found: dict[tuple[int, int, str], Finding] = {}
    context.severity = rule.severity
    for check in rule.checks:
        for finding in check(context):
            made = replace(finding, rule=rule.id)
            # A loop or a function that makes many DAGs is one place to repair: the first DAG stands for all.
            text = re.sub(r"\bDAG [^\s:]+", "DAG", made.message)
            found.setdefault((made.line, made.col, text), made)
    return list(found.values())


def _facts(context: Context) -> Facts:
    facts = Facts(context.source.path, is_dag_file=context.is_dag_file)
    for dag in context.model.dags:
        facts.dag_ids = True
        if dag.dag_id is not None and not dag.conditional:
            made = context.finding(dag.node, "")
            facts.dags.append(DagFact(dag.dag_id, made.line, made.col, made.end_line))
    for node in context.source.of_type(ast.ImportFrom, ast.Import):
        module = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
        if isinstance(node, ast.ImportFrom | ast.Import):
            for alias in node.names:
                name = module + alias.name
                if is_airflow(name):
                    facts.imports.setdefault(name, node.lineno)
                    if guarded(context, node):
                        facts.guarded.add(name)
    return facts
