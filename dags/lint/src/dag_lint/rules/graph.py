"""The task graph: L-05 isolated tasks, L-33 branches, L-39 trigger rules."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from dag_lint.context import Context, flatten, spread
from dag_lint.edges import Graph
from dag_lint.findings import Finding, Fix, Severity
from dag_lint.registry import rule
from dag_lint.values import Const, FuncV, NameV, Task, Value, constant, text_of

TRIGGER_RULES = {
    "all_success", "all_failed", "all_done", "all_done_min_one_success", "all_done_setup_success",
    "one_success", "one_failed", "one_done", "none_failed", "none_failed_min_one_success", "none_skipped",
    "always", "all_skipped",
}  # fmt: skip
_RENAMED = {"none_failed_or_skipped": "none_failed_min_one_success", "dummy": "always"}


@rule("L-05", "isolated-task", Severity.WARNING)
def isolated_task(ctx: Context) -> Iterator[Finding]:
    """Every task of a DAG with two or more depends on another one or has one that depends on it.

    A task that nothing joins is mostly one whose `>>` was forgotten: it starts at once, whatever the others
    do. Tasks made in one loop may stand side by side. DAGs whose tasks or edges cannot be told from the
    text are left alone.

    Bad:
        from airflow.sdk import DAG
        from airflow.providers.standard.operators.bash import BashOperator
        with DAG("sales", schedule=None):
            extract = BashOperator(task_id="extract_sales", bash_command="extract")
            load = BashOperator(task_id="load_sales", bash_command="load")
    Good:
        from airflow.sdk import DAG
        from airflow.providers.standard.operators.bash import BashOperator
        with DAG("sales", schedule=None):
            extract = BashOperator(task_id="extract_sales", bash_command="extract")
            load = BashOperator(task_id="load_sales", bash_command="load")
            extract >> load
    """
    for dag in ctx.model.dags:
        if dag.open or len(dag.tasks) < 2 or ctx.model.exhausted:
            continue
        graph = Graph(dag)
        alone = [task for task in dag.tasks if not graph.up.get(task) and not graph.down.get(task)]
        alone = [task for task in alone if not graph.open_around(task)]
        if len({task.node for task in dag.tasks}) == 1:
            continue
        alone = [task for task in alone if not (task.many or task.conditional or task.setup or task.teardown)]
        text = "stands alone: nothing is up- or downstream of it in DAG"
        found = list({task.node: (task, f"task {task.name} {text} {dag.name}") for task in alone}.values())
        if len(alone) == len(dag.tasks):
            yield from spread(ctx, dag, found, f"DAG {dag.name} has no dependency at all between its tasks")
        else:
            for task, message in found:
                yield ctx.finding(task.node, message)


@rule("L-33", "branch-targets", Severity.ERROR)
def branch_targets(ctx: Context) -> Iterator[Finding]:
    """A branch returns only ids of tasks, or groups, that the DAG has.

    An id that does not exist fails the branch when it is chosen for the first time, perhaps months later.
    Ids inside a task group carry its prefix. The texts that the callable can return are followed; what is
    computed is left alone.

    Bad:
        from airflow.sdk import DAG, task
        with DAG("model", schedule=None):
            @task.branch
            def choose_path():
                return "deploy_model"
            @task
            def deploy(): ...
            choose_path() >> deploy()
    Good:
        from airflow.sdk import DAG, task
        with DAG("model", schedule=None):
            @task.branch
            def choose_path():
                return "deploy"
            @task
            def deploy(): ...
            choose_path() >> deploy()
    """
    seen: set[ast.AST] = set()
    for dag in ctx.model.dags:
        ids = {task.full_id for task in dag.tasks} | {group.full_id for group in dag.groups}
        if dag.open or dag.foreign or None in ids or ctx.model.exhausted:
            continue
        for task in dag.tasks:
            for node, target in _targets(ctx, task):
                if target not in ids and node not in seen:
                    seen.add(node)
                    close = [name for name in ids if name and name.endswith("." + target)]
                    hint = f"; in its group it is {sorted(close)[0]!r}" if close else ""
                    message = f"branch {task.name} returns {target!r}, no task of DAG {dag.name}{hint}"
                    yield ctx.finding(node, message)


_BRANCHES = ("BranchPythonOperator", "BranchPythonVirtualenvOperator", "BranchExternalPythonOperator")


def _targets(ctx: Context, task: Task) -> Iterator[tuple[ast.AST, str]]:
    if task.cls.startswith("@task.branch") or task.short_cls in _BRANCHES:
        if task.fn is not None:
            yield from _returned(ctx, task.fn)
    elif task.short_cls.startswith("Branch"):
        for key in ("follow_task_ids_if_true", "follow_task_ids_if_false"):
            if key in task.kwargs:
                for value in flatten(task.kwargs[key].value):
                    target = text_of(value)
                    if target is not None:
                        yield task.kwargs[key].node, target


def _returned(ctx: Context, fn: FuncV) -> Iterator[tuple[ast.AST, str]]:
    if isinstance(fn.node, ast.Lambda):
        yield from _texts(fn.node.body, {})
        return
    assigned: dict[str, list[ast.expr]] = {}
    own = [node for node in ast.walk(fn.node) if ctx.function_around(node) is fn.node]
    for node in own:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            assigned.setdefault(node.targets[0].id, []).append(node.value)
        elif isinstance(node, ast.AugAssign | ast.For | ast.NamedExpr) and isinstance(node.target, ast.Name):
            assigned.setdefault(node.target.id, []).append(ast.Constant(None))
    for node in own:
        if isinstance(node, ast.Return) and node.value is not None:
            yield from _texts(node.value, assigned)


def _texts(node: ast.expr, assigned: dict[str, list[ast.expr]]) -> Iterator[tuple[ast.AST, str]]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node, node.value
    elif isinstance(node, ast.List | ast.Tuple | ast.Set):
        for item in node.elts:
            yield from _texts(item, assigned)
    elif isinstance(node, ast.IfExp):
        yield from _texts(node.body, assigned)
        yield from _texts(node.orelse, assigned)
    elif isinstance(node, ast.Name):
        for value in assigned.get(node.id, []):
            yield from _texts(value, {})


@rule("L-39", "trigger-rules", Severity.ERROR, fixable=True)
def trigger_rules(ctx: Context) -> Iterator[Finding]:
    """Trigger rules are of the thirteen that Airflow 3 knows; a fail_fast DAG has none but all_success.

    `none_failed_or_skipped` and `dummy` are gone: the DAG fails to import. fail_fast with another rule
    fails as well.

    Bad:
        from airflow.sdk import DAG
        from airflow.providers.standard.operators.empty import EmptyOperator
        with DAG("sales", schedule=None):
            EmptyOperator(task_id="join", trigger_rule="none_failed_or_skipped")
    Good:
        from airflow.sdk import DAG
        from airflow.providers.standard.operators.empty import EmptyOperator
        with DAG("sales", schedule=None):
            EmptyOperator(task_id="join", trigger_rule="none_failed_min_one_success")
    """
    seen: set[ast.AST] = set()
    for task in ctx.model.tasks:
        setting = ctx.task_setting(task, "trigger_rule")
        name, node = trigger_rule(setting.value), setting.node
        if name is None or node is None:
            continue
        if name not in TRIGGER_RULES and node not in seen:
            seen.add(node)
            hint = f"; write {_RENAMED[name]}" if name in _RENAMED else ""
            message = f"trigger rule {name!r} does not exist in Airflow 3{hint}"
            yield ctx.finding(node, message, fix=_rule_fix(ctx, node, name), also=name)
        elif name not in {*_RENAMED, "all_success"} and node not in seen and _fail_fast(ctx, task):
            seen.add(node)
            dag_name = task.dag.name if task.dag else ""
            yield ctx.finding(node, f"DAG {dag_name} is fail_fast: its tasks may only have all_success")


def _fail_fast(ctx: Context, task: Task) -> bool:
    if task.dag is None or task.teardown:
        return False
    return any(constant(ctx.dag_setting(task.dag, key).value) is True for key in ("fail_fast", "fail_stop"))


def trigger_rule(value: Value) -> str | None:
    """The name of a rule given as text or as `TriggerRule.ALL_DONE`; None when it cannot be told."""
    if isinstance(value, Const):
        return value.value if isinstance(value.value, str) else None
    if isinstance(value, NameV) and ".TriggerRule." in "." + value.name:
        return value.name.rpartition(".")[2].lower()
    return None


def _rule_fix(ctx: Context, node: ast.AST, name: str) -> Fix | None:
    inside = node.value if isinstance(node, ast.keyword) else node
    if name not in _RENAMED:
        return None
    if isinstance(inside, ast.Constant):
        return ctx.fix("replace_string", inside, name, _RENAMED[name])
    if isinstance(inside, ast.Attribute):
        return ctx.fix("replace_attr", inside, inside.attr, _RENAMED[name].upper())
    return None
