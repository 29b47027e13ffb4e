"""Literal ids and schedules that Airflow refuses at import: a part of L-36."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from dag_lint import cron
from dag_lint.context import Context
from dag_lint.findings import Finding
from dag_lint.names import is_airflow, last
from dag_lint.values import text_of

# Airflow's KEY_REGEX and the longest key that its database takes.
_KEY = re.compile(r"[\w.-]+")
_LONGEST = 250


def bad_literals(ctx: Context) -> Iterator[Finding]:
    """Ids that are no key and schedules that are no cron expression, where the very text is in the file."""
    literals = {
        node.value
        for node in ctx.source.of_type(ast.Constant)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    for dag in ctx.real_dags():
        if dag.conditional or _expected(ctx, dag.node):
            continue
        if dag.dag_id in literals and "dag_id" in dag.kwargs:
            yield from _key(ctx, dag.kwargs["dag_id"].node, "dag_id", dag.dag_id)
        for name in ("schedule", "schedule_interval"):
            text = text_of(dag.kwargs[name].value) if name in dag.kwargs else None
            if text is None or text not in literals or "{" in text:
                continue
            problem = cron.problem(text)
            if problem:
                yield ctx.finding(dag.kwargs[name].node, f"{name} {text!r} fails to import: {problem}")
    for task in ctx.model.tasks:
        # An operator of one's own may make another id of what it is given.
        ours = not (task.cls.startswith("@task") or is_airflow(task.cls))
        if ours or task.conditional or "task_id" not in task.kwargs or task.task_id not in literals:
            continue
        if not _expected(ctx, task.node):
            yield from _key(ctx, task.kwargs["task_id"].node, "task_id", task.task_id)


def _key(ctx: Context, node: ast.AST, what: str, text: str | None) -> Iterator[Finding]:
    if text is None or "{{" in text or "{%" in text:
        return
    if len(text) > _LONGEST:
        yield ctx.finding(node, f"{what} of {len(text)} characters fails to import: at most {_LONGEST}")
    elif not _KEY.fullmatch(text):
        yield ctx.finding(
            node, f"{what} {text!r} fails to import: only letters, digits, dashes, dots and underscores"
        )


def _expected(ctx: Context, node: ast.AST) -> bool:
    """Whether the code around takes an error into account: `try`, or `with pytest.raises(...)`."""
    around = ctx.source.parents.get(node)
    while around is not None:
        if isinstance(around, ast.Try):
            return True
        if isinstance(around, ast.With | ast.AsyncWith):
            calls = [item.context_expr for item in around.items if isinstance(item.context_expr, ast.Call)]
            if any(
                last(ctx.qualified(call.func)) in {"raises", "assertRaises", "suppress"} for call in calls
            ):
                return True
        around = ctx.source.parents.get(around)
    return False
