"""L-35: a run whose tasks failed must not be green."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from dag_lint.context import Context, Known
from dag_lint.edges import Graph
from dag_lint.findings import Finding, Severity
from dag_lint.registry import rule
from dag_lint.rules.graph import trigger_rule
from dag_lint.values import Task

_MASKING = {"all_done", "always", "all_done_min_one_success", "one_done"}
_PASSING = {
    "all_success",
    "none_failed",
    "none_failed_min_one_success",
    "one_failed",
    "all_done_setup_success",
}


@rule("L-35", "hidden-failure", Severity.WARNING)
def hidden_failure(ctx: Context) -> Iterator[Finding]:
    """A last task with all_done or always does not turn a failed run green.

    The state of a run is that of its leaves. A notification with `all_done` at the end succeeds although
    the load before it failed, and so does the run: no alert, no retry of the run. Make the task a teardown,
    let a callback notify, or add a watcher with `one_failed` (or another leaf) behind the tasks that
    matter.

    Bad:
        from airflow.sdk import DAG, task
        with DAG("sales", schedule=None):
            @task
            def load_sales(): ...
            @task(trigger_rule="all_done")
            def clean_up(): ...
            load_sales() >> clean_up()
    Good:
        from airflow.sdk import DAG, task, teardown
        with DAG("sales", schedule=None):
            @task
            def load_sales(): ...
            @teardown
            def clean_up(): ...
            load_sales() >> clean_up()
    """
    for dag in ctx.model.dags:
        if dag.open or ctx.model.exhausted:
            continue
        graph = Graph(dag)
        rules = {task: _rule(ctx, task) for task in dag.tasks}
        if None in rules.values():
            continue
        for leaf in graph.leaves():
            if rules[leaf] not in _MASKING or leaf.teardown or graph.open_around(leaf) or _may_raise(leaf):
                continue
            hidden = [task for task in graph.ancestors(leaf) if not task.is_empty and not task.teardown]
            hidden = [
                task for task in hidden if not _shows(graph, rules, task) and not graph.open_around(task)
            ]
            if hidden:
                names = ", ".join(sorted(task.name for task in hidden)[:3])
                message = f"leaf {leaf.name} ({rules[leaf]}) hides a failure of {names}"
                yield ctx.finding(leaf.node, f"{message}: make it a teardown or add a watcher")


def _rule(ctx: Context, task: Task) -> str | None:
    setting = ctx.task_setting(task, "trigger_rule")
    if setting.absent:
        return "all_success"
    return trigger_rule(setting.value) if setting.known is not Known.UNKNOWN else None


def _shows(graph: Graph, rules: dict[Task, str | None], task: Task) -> bool:
    """Whether a failure of the task reaches a leaf by tasks that pass it on."""
    seen = {task}
    stack = [task]
    while stack:
        following = [other for other in graph.down.get(stack.pop(), ()) if not other.teardown]
        if not following:
            return True
        for other in following:
            if other not in seen and rules.get(other) in _PASSING:
                seen.add(other)
                stack.append(other)
    return False


def _may_raise(task: Task) -> bool:
    """Whether the task looks at the others and fails by itself."""
    return task.fn is not None and any(isinstance(node, ast.Raise) for node in ast.walk(task.fn.node))
