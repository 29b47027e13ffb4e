"""A run over many files: workers, ruff, rules over the repository, suppressions."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from dag_lint import ruff_air
from dag_lint.analysis import FileResult, analyze, decode, undecodable
from dag_lint.config import Config
from dag_lint.findings import Finding, Severity
from dag_lint.project import Facts, Project
from dag_lint.registry import RULES
from dag_lint.selection import ignored_for, normal_id
from dag_lint.source import Suppression
from dag_lint.tenant import Tenant


@dataclass
class Options:
    """What a run is to do. `base`: paths in findings are relative to it; `root`: the repository."""

    rules: set[str]
    config: Config
    tenants: list[Tenant] = field(default_factory=list)
    base: Path = field(default_factory=Path.cwd)
    root: Path = field(default_factory=Path.cwd)
    jobs: int = 0
    minimum: Severity = Severity.WARNING


@dataclass
class Report:
    """The outcome of a run. `failures`: defects of the linter, with the file."""

    findings: list[Finding] = field(default_factory=list)
    files: int = 0
    suppressed: int = 0
    failures: list[str] = field(default_factory=list)


def shown(path: Path, base: Path) -> str:
    """A path as reports show it: relative to `base` where it is below."""
    try:
        return path.resolve().relative_to(base.resolve()).as_posix()
    except ValueError:
        return path.as_posix()


def _one(path: Path, options: Options) -> FileResult:
    name = shown(path, options.base)
    try:
        data = path.read_bytes()
        result = _analyze(name, decode(data), options)
        line = undecodable(data)
        if line and "L-36" in options.rules - ignored_for(options.config, name):
            message = "not valid Python 3: text that is not UTF-8, nor what a coding line declares"
            result.findings = [finding for finding in result.findings if finding.rule != "L-36"]
            result.findings.append(Finding(name, line, 1, line, "L-36", Severity.ERROR, message))
        return result
    except OSError as error:
        return FileResult(name, failure=f"{name}: {error}")
    except Exception as error:  # noqa: BLE001 (one strange file must not end the run over a thousand)
        return FileResult(name, failure=f"{name}: {type(error).__name__}: {error}")


def _analyze(name: str, text: str, options: Options) -> FileResult:
    rules = sorted(options.rules - ignored_for(options.config, name))
    return analyze(name, text, rules, options.config, options.tenants)


def lint(paths: list[Path], options: Options) -> Report:
    """Lint files."""
    ruff = ruff_air.AirRun({shown(p, options.base): p for p in paths}) if "L-02" in options.rules else None
    work: Callable[[Path], FileResult] = partial(_one, options=options)
    jobs = options.jobs or min(os.cpu_count() or 1, 8)
    if jobs > 1 and len(paths) > 24:
        with ProcessPoolExecutor(jobs) as pool:
            results = list(pool.map(work, paths, chunksize=max(4, min(64, len(paths) // (jobs * 4)))))
    else:
        results = [work(path) for path in paths]
    return _finish(results, ruff.read() if ruff else [], options, whole=True)


def lint_text(name: str, text: str, options: Options) -> Report:
    """Lint one text as if it were the file `name`."""
    raws = ruff_air.check_text(name, text) if "L-02" in options.rules else []
    return _finish([_analyze(name, text, options)], raws, options, whole=False)


def lint_own(name: str, text: str, options: Options) -> Report:
    """Lint one text by the own rules only, without ruff: what --fix works from."""
    return _finish([_analyze(name, text, options)], [], options, whole=False)


def _finish(results: list[FileResult], raws: list[ruff_air.Raw], options: Options, *, whole: bool) -> Report:
    report = Report(files=len(results), failures=[result.failure for result in results if result.failure])
    facts = {result.path: result.facts for result in results if result.facts is not None}
    findings = [finding for result in results for finding in result.findings]
    off = {path: ignored_for(options.config, path) for path in facts}
    findings += [f for f in ruff_air.merge(raws, findings, facts) if "L-02" not in off[f.path]]
    if whole:
        findings += [
            f for f in _project(list(facts.values()), options) if f.rule not in off.get(f.path, set())
        ]
    suppressions = {result.path: result.suppressions for result in results}
    kept = [finding for finding in findings if not _suppressed(finding, suppressions.get(finding.path, []))]
    report.suppressed = len(findings) - len(kept)
    if "L-00" in options.rules:
        for path, comments in suppressions.items():
            if "L-00" not in off.get(path, set()):
                kept += _bad_comments(path, comments, options.rules - off.get(path, set()))
    if options.minimum is Severity.ERROR:
        kept = [finding for finding in kept if finding.severity is Severity.ERROR]
    report.findings = sorted(kept, key=lambda finding: finding.sort_key)
    return report


def _project(facts: list[Facts], options: Options) -> list[Finding]:
    project = Project(options.config, facts, options.base, options.root)
    found: list[Finding] = []
    for rule_id in sorted(options.rules):
        rule = RULES[rule_id]
        for check in rule.project_checks:
            found += [replace(finding, rule=rule_id) for finding in check(project)]
    return found


def _suppressed(finding: Finding, comments: list[Suppression]) -> bool:
    hidden = False
    for comment in comments:
        if comment.reason and _covers(comment, finding) and finding.rule in _ids(comment):
            comment.used.add(finding.rule)
            hidden = True
    return hidden


def _covers(comment: Suppression, finding: Finding) -> bool:
    inside = finding.line <= comment.line <= max(finding.line, finding.end_line)
    return inside or comment.line in finding.anchors


def _ids(comment: Suppression) -> set[str]:
    found = set()
    for name in comment.rules:
        try:
            found.add(normal_id(name))
        except Exception:  # noqa: BLE001, S112 (reported by _bad_comments)
            continue
    return found


def _bad_comments(path: str, comments: list[Suppression], rules: set[str]) -> list[Finding]:
    found: list[Finding] = []

    def add(comment: Suppression, message: str) -> None:
        line = comment.comment_line
        found.append(Finding(path, line, 1, line, "L-00", Severity.WARNING, message))

    for comment in comments:
        ids = _ids(comment)
        if comment.misspelt:
            add(comment, "a misspelt comment suppresses nothing: `# dag-lint: ignore[L-04] reason: ...`")
        elif not comment.rules:
            add(comment, "a suppression names its rules: `# dag-lint: ignore[L-04] reason: ...`")
        elif len(ids) < len(set(comment.rules)):
            add(comment, f"a suppression of an unknown rule: {', '.join(comment.rules)}")
        elif not comment.reason:
            add(comment, "a suppression gives its reason: `# dag-lint: ignore[L-04] reason: ...`")
        else:
            idle = sorted((ids & rules) - comment.used)
            if idle:
                add(comment, f"the suppression of {', '.join(idle)} hides nothing; remove it")
    return found
