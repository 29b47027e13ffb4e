"""How findings are written: text, JSON, SARIF 2.1.0, GitHub annotations."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any
from urllib.parse import quote

from dag_lint import __version__
from dag_lint.engine import Report
from dag_lint.findings import Finding, Severity
from dag_lint.registry import RULES, Rule

FORMATS = ("text", "json", "sarif", "github")
_URI = "https://airflowtenants.io/dag-lint"
_RED, _YELLOW, _BOLD, _OFF = "\033[31m", "\033[33m", "\033[1m", "\033[0m"


def render(report: Report, style: str, *, color: bool = False, statistics: bool = False) -> str:
    """The report in one of FORMATS, with a line end at its end when it is not empty."""
    if style == "json":
        return json.dumps(_json(report), indent=2) + "\n"
    if style == "sarif":
        return json.dumps(_sarif(report), indent=2) + "\n"
    if style == "github":
        return "".join(_github(finding) for finding in report.findings)
    lines = [_line(finding, color=color) for finding in report.findings]
    if statistics:
        lines += ["", *_statistics(report)] if lines else []
    return "\n".join([*lines, *([""] if lines else []), summary(report)]) + "\n"


def summary(report: Report) -> str:
    """One line: files, errors, warnings, what is hidden, what may be repaired."""
    count = Counter(finding.severity for finding in report.findings)
    files = f"{report.files} file{'' if report.files == 1 else 's'}"
    hidden = f", {report.suppressed} suppressed" if report.suppressed else ""
    if not report.findings:
        return f"{files} checked, no findings{hidden}"
    fixable = sum(finding.fix is not None for finding in report.findings)
    repair = f"; {fixable} can be repaired with --fix" if fixable else ""
    errors, warnings = _plural(count[Severity.ERROR], "error"), _plural(count[Severity.WARNING], "warning")
    return f"{files} checked: {errors}, {warnings}{hidden}{repair}"


def _plural(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _line(finding: Finding, *, color: bool) -> str:
    place = f"{finding.path}:{finding.line}:{finding.col}"
    message = "".join(char if char.isprintable() else repr(char)[1:-1] for char in finding.message)
    if not color:
        return f"{place}: {finding.rule} {finding.severity}: {message}"
    tone = _RED if finding.severity is Severity.ERROR else _YELLOW
    return f"{_BOLD}{place}{_OFF}: {tone}{finding.rule} {finding.severity}{_OFF}: {message}"


def _statistics(report: Report) -> list[str]:
    count = Counter(finding.rule for finding in report.findings)
    return [
        f"{number:5} {rule} {RULES[rule].name}"
        for rule, number in sorted(count.items(), key=lambda i: (-i[1], i[0]))
    ]


def _json(report: Report) -> dict[str, Any]:
    count = Counter(finding.severity for finding in report.findings)
    return {
        "version": __version__,
        "files": report.files,
        "errors": count[Severity.ERROR],
        "warnings": count[Severity.WARNING],
        "suppressed": report.suppressed,
        "findings": [
            {
                "path": finding.path,
                "line": finding.line,
                "column": finding.col,
                "end_line": finding.end_line,
                "rule": finding.rule,
                "name": RULES[finding.rule].name,
                "severity": str(finding.severity),
                "message": finding.message,
                "fixable": finding.fix is not None,
            }
            for finding in report.findings
        ],
    }


def _sarif(report: Report) -> dict[str, Any]:
    rules = [RULES[key] for key in sorted(RULES)]
    index = {rule.id: number for number, rule in enumerate(rules)}
    driver = {
        "name": "dag-lint",
        "version": __version__,
        "informationUri": _URI,
        "rules": [_sarif_rule(rule) for rule in rules],
    }
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "unicodeCodePoints",
                "results": [_sarif_result(finding, index[finding.rule]) for finding in report.findings],
            }
        ],
    }


def _sarif_rule(rule: Rule) -> dict[str, Any]:
    text = f"{rule.rationale}\n\nBad:\n{rule.bad}\n\nGood:\n{rule.good}"
    markdown = (
        f"{rule.rationale}\n\n**Bad**\n```python\n{rule.bad}\n```\n\n**Good**\n```python\n{rule.good}\n```"
    )
    return {
        "id": rule.id,
        "name": "".join(part.capitalize() for part in rule.name.split("-")),
        "shortDescription": {"text": rule.summary},
        "fullDescription": {"text": rule.rationale},
        "help": {"text": text, "markdown": markdown},
        "defaultConfiguration": {"level": str(rule.severity), "enabled": not rule.convention},
    }


def _sarif_result(finding: Finding, index: int) -> dict[str, Any]:
    region = {"startLine": finding.line, "startColumn": finding.col}
    uri = quote(finding.path)
    return {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": str(finding.severity),
        "message": {"text": finding.message},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri}, "region": region}}],
    }


def _github(finding: Finding) -> str:
    message = finding.message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    path = finding.path.replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
    place = f"file={path},line={finding.line},col={finding.col},endLine={finding.end_line}"
    return f"::{finding.severity} {place},title={finding.rule} {RULES[finding.rule].name}::{message}\n"


def explain(rule: Rule) -> str:
    """What `--explain` prints."""
    kind = "convention, off by default" if rule.convention else "on by default"
    repair = ", repaired by --fix where certain" if rule.fixable else ""
    bad, good = (text.replace("\n", "\n    ") for text in (rule.bad, rule.good))
    return (
        f"{rule.id} {rule.name} ({rule.severity}; {kind}{repair})\n\n{rule.summary}\n\n{rule.rationale}\n\n"
        f"Bad:\n    {bad}\n\nGood:\n    {good}\n"
    )
