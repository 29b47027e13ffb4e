"""Where files lie and what documents them: L-19, L-20."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from dag_lint.context import Context
from dag_lint.findings import Finding, Severity
from dag_lint.project import Project
from dag_lint.registry import project_rule, rule
from dag_lint.teams import is_shared


@rule("L-19", "team-folder", Severity.WARNING, convention=True)
def team_folder(ctx: Context) -> Iterator[Finding]:
    """A DAG file lies in `dags/team_<team>/<purpose>/`.

    Owners, reviews and permissions follow the folder. `team-folder` is the pattern, `shared-folders` lists
    globs of folders that no team owns.

    Bad:
        # dags/sales.py
        from airflow.sdk import DAG
        with DAG("analytics_report_sales", schedule=None):
            ...
    Good:
        # dags/team_analytics/reporting/sales.py
        from airflow.sdk import DAG
        with DAG("analytics_report_sales", schedule=None):
            ...
    """
    path = Path(ctx.source.path).as_posix()
    if ctx.model.dags and not re.search(ctx.config.team_folder, path) and not is_shared(path, ctx.config):
        yield ctx.finding(ctx.model.dags[0].node, "the file is in no team's folder (team_<team>/<purpose>/)")


@rule("L-20", "documented", Severity.WARNING, convention=True)
def documented(ctx: Context) -> Iterator[Finding]:
    """Every team folder has a README.md and every DAG a doc_md.

    doc_md is shown where the DAG is looked at when it fails; `doc_md=__doc__` uses the docstring of the
    module. For `@dag` the docstring of the function counts.

    Bad:
        from airflow.sdk import DAG
        with DAG("analytics_report_sales", schedule=None):
            ...
    Good:
        from airflow.sdk import DAG
        with DAG("analytics_report_sales", schedule=None, doc_md="Sums up the sales of a day."):
            ...
    """
    for dag in ctx.real_dags():
        if not ctx.dag_setting(dag, "doc_md").absent or dag.open_kwargs:
            if ctx.source.tree is not None and _doc_is_empty(ctx, dag.kwargs.get("doc_md")):
                yield ctx.finding(
                    dag.kwargs["doc_md"].node,
                    f"DAG {dag.name}: doc_md=__doc__, but the module has no docstring",
                )
            continue
        if dag.decorated is not None and ast.get_docstring(dag.decorated):
            continue
        yield ctx.finding(dag.node, f"DAG {dag.name} has no doc_md")


def _doc_is_empty(ctx: Context, arg: object) -> bool:
    node = getattr(arg, "node", None)
    inside = node.value if isinstance(node, ast.keyword) else None
    named = isinstance(inside, ast.Name) and inside.id == "__doc__"
    return named and ctx.source.tree is not None and not ast.get_docstring(ctx.source.tree)


@project_rule("L-20")
def readme(project: Project) -> Iterator[Finding]:
    """README.md in every team folder."""
    folders: set[Path] = set()
    for facts in project.facts:
        match = re.search(project.config.team_folder, facts.path)
        if match and facts.dag_ids:
            end = match.start("purpose") if "purpose" in match.groupdict() else match.end()
            folders.add(Path(facts.path[:end]))
    for folder in sorted(folders):
        if not (project.base / folder / "README.md").is_file():
            yield project.finding(str(folder / "README.md"), 1, f"team folder {folder} has no README.md")
