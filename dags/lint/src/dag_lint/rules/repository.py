"""Rules over all files: L-18 unique ids, L-36 integrity test, L-40 CI."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from dag_lint.context import Context
from dag_lint.findings import Finding, Severity
from dag_lint.project import DagFact, Project
from dag_lint.registry import project_rule, rule
from dag_lint.values import Dag, Task


@rule("L-18", "unique-ids", Severity.ERROR)
def unique_ids(ctx: Context) -> Iterator[Finding]:
    """A dag_id is used once in all bundles, a task_id once in a DAG.

    Two DAGs of one id overwrite each other at every parse; which one runs is chance. Two tasks of one id
    fail at parse. DAGs in different `dags` folders may belong to different installations: there it is a
    warning.

    Bad:
        from airflow.sdk import DAG
        with DAG("sales", schedule=None):
            ...
        with DAG("sales", schedule="@daily"):
            ...
    Good:
        from airflow.sdk import DAG
        with DAG("sales", schedule=None):
            ...
        with DAG("sales_daily", schedule="@daily"):
            ...
    """
    seen: dict[str, Dag] = {}
    for dag in ctx.model.dags:
        if dag.dag_id is not None and not dag.conditional:
            first = seen.setdefault(dag.dag_id, dag)
            if first is not dag:
                line = getattr(first.node, "lineno", 1)
                yield ctx.finding(dag.node, f"dag_id {dag.dag_id!r} is used on line {line} already")
        tasks: dict[str, Task] = {}
        for task in dag.tasks:
            name = task.full_id
            if name is None or task.conditional:
                continue
            other = tasks.setdefault(name, task)
            if other is not task and not task.cls.startswith("@"):
                line = getattr(other.node, "lineno", 1)
                yield ctx.finding(
                    task.node, f"task_id {name!r} is used on line {line} already in DAG {dag.name}"
                )


@project_rule("L-18")
def unique_over_files(project: Project) -> Iterator[Finding]:
    """dag_ids over all files."""
    first: dict[str, tuple[str, DagFact]] = {}
    for facts in sorted(project.facts, key=lambda item: item.path):
        for dag in facts.dags:
            path, other = first.setdefault(dag.dag_id, (facts.path, dag))
            if path != facts.path:
                near = _bundle(path) == _bundle(facts.path)
                severity = Severity.ERROR if near else Severity.WARNING
                message = f"dag_id {dag.dag_id!r} is used in {path}:{other.line} already"
                yield Finding(facts.path, dag.line, dag.col, dag.end_line, "", severity, message)


def _bundle(path: str) -> str:
    parts = PurePosixPath(path).parts
    return "/".join(parts[: parts.index("dags")]) if "dags" in parts else ""


_CI = (
    ".github/workflows/*.yml", ".github/workflows/*.yaml",
    ".gitlab-ci.yml", "azure-pipelines.yml", "Jenkinsfile",
    "bitbucket-pipelines.yml", ".circleci/config.yml", "cloudbuild.yaml",
)  # fmt: skip
_TESTS = (
    "pytest.ini",
    "tox.ini",
    "setup.cfg",
    "pyproject.toml",
    "Makefile",
    "noxfile.py",
    "conftest.py",
    "tests/conftest.py",
)
_IGNORED = re.compile(
    r"--(?:ignore|deselect|ignore-glob)[= ]\S*(?:integrity|dag_?bag|test_dags?_(?:import|validation))\S*"
    r"|-k\s*['\"]?not\s+\S*(?:integrity|dagbag)|collect_ignore\w*\s*=.*integrity",
    re.IGNORECASE,
)


def _files(project: Project, patterns: tuple[str, ...]) -> Iterator[tuple[Path, list[str]]]:
    for pattern in patterns:
        for path in sorted(project.root.glob(pattern)):
            if path.is_file():
                yield path, path.read_text(encoding="utf-8", errors="replace").splitlines()


@project_rule("L-36")
def integrity_test_runs(project: Project) -> Iterator[Finding]:
    """No configuration leaves out the integrity test."""
    for path, lines in _files(project, _CI + _TESTS):
        for number, line in enumerate(lines, 1):
            if _IGNORED.search(line.partition("#")[0]):
                message = "the integrity test of the DAGs is left out; it must always run"
                yield project.finding(project.relative(path), number, message, severity=Severity.ERROR)


_DEPLOY = re.compile(
    r"(?:aws\s+s3\s+(?:sync|cp)|gsutil\s+(?:-m\s+)?(?:rsync|cp)|gcloud\s+storage\s+(?:rsync|cp)|rsync|scp|azcopy\s+(?:copy|sync)"
    r"|kubectl\s+cp|composer\s+environments\s+storage\s+dags\s+import)\b[^\n]*\bdags?\b"
)
_CHANGED = re.compile(
    r"git\s+diff|changed-files|paths-filter|--changed-since|^\s*(?:paths|changes):", re.MULTILINE
)
_LINTS = re.compile(
    r"\bdag-lint\b(?![^\n]*(?:--changed-since|\$\{?\{?\s*(?:CHANGED|FILES|steps)))[^\n]*\bdags?/?(?:\s|$)"
)


@rule("L-40", "changed-only", Severity.WARNING, convention=True)
def changed_only(_ctx: Context) -> Iterator[Finding]:
    """CI deploys only the DAGs that changed, and pre-commit lints only these.

    A deployment of everything for every change makes each mistake one of everybody. Workflows that copy the
    folder of DAGs choose by `git diff`, a paths filter or the like; `dag-lint --changed-since REF` lints
    what changed. Looked at are workflows of GitHub, GitLab, Azure, Bitbucket, CircleCI and Jenkins.

    Bad:
        # .github/workflows/deploy.yml
        # run: aws s3 sync dags/ s3://bucket/dags/
    Good:
        # .github/workflows/deploy.yml
        # run: git diff --name-only HEAD~1 -- dags/ | xargs -I{} aws s3 cp {} s3://bucket/{}
    """
    yield from ()


@project_rule("L-40")
def ci_deploys_changes(project: Project) -> Iterator[Finding]:
    """Workflow files choose what changed."""
    for path, lines in _files(project, _CI):
        if _CHANGED.search("\n".join(lines)):
            continue
        for number, line in enumerate(lines, 1):
            if _DEPLOY.search(line):
                yield project.finding(
                    project.relative(path), number, "deploys all DAGs; choose the changed ones (git diff)"
                )
            elif _LINTS.search(line):
                yield project.finding(
                    project.relative(path), number, "lints all DAGs; use --changed-since or pre-commit"
                )
