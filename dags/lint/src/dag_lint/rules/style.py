"""L-03 PythonOperator, L-34 lists, randomness and lambdas."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatch

from dag_lint.context import Context
from dag_lint.findings import Finding, Severity
from dag_lint.registry import rule
from dag_lint.values import FuncV

_CLASSIC = {
    "PythonOperator": "@task",
    "BranchPythonOperator": "@task.branch",
    "ShortCircuitOperator": "@task.short_circuit",
    "PythonVirtualenvOperator": "@task.virtualenv",
    "BranchPythonVirtualenvOperator": "@task.branch_virtualenv",
    "ExternalPythonOperator": "@task.external_python",
    "BranchExternalPythonOperator": "@task.branch_external_python",
    "PythonSensor": "@task.sensor",
}


@rule("L-03", "taskflow", Severity.WARNING)
def taskflow(ctx: Context) -> Iterator[Finding]:
    """Python callables run as TaskFlow functions, not in a PythonOperator.

    `@task` keeps function and task together, passes data as arguments and derives the dependency from it.
    DAGs that need the classic operator are listed in `python-operator-allow` (globs of dag_ids or paths).

    Bad:
        from airflow.sdk import DAG
        from airflow.providers.standard.operators.python import PythonOperator
        def load(): ...
        with DAG("sales", schedule=None):
            PythonOperator(task_id="load_sales", python_callable=load)
    Good:
        from airflow.sdk import DAG, task
        with DAG("sales", schedule=None):
            @task
            def load_sales(): ...
            load_sales()
    """
    for task in ctx.places:
        better = _CLASSIC.get(task.short_cls)
        if better is None or task.cls.startswith("@") or not task.cls.startswith("airflow."):
            continue
        dag_id = (task.dag.dag_id if task.dag else None) or ""
        names = (dag_id, ctx.source.path)
        if not any(fnmatch(name, glob) for name in names for glob in ctx.config.python_operator_allow):
            yield ctx.finding(
                task.node, f"task {task.name}: write a function under `{better}` instead of {task.short_cls}"
            )


_RANDOM = re.compile(
    r"(?:random|numpy\.random|np\.random)\."
    r"(?:random|randint|randrange|choice|choices|sample|shuffle|uniform|gauss|normal|rand|randn|random_sample|permutation)$"
)
_SEED = re.compile(
    r"\b(?:random\.seed|np\.random\.seed|numpy\.random\.seed|seed|Random|default_rng|RandomState)\s*\(\s*[^)\s]"
)


@rule("L-34", "no-surprises", Severity.WARNING)
def no_surprises(ctx: Context) -> Iterator[Finding]:
    """No list >> list, no unseeded random, no lambda as a callable.

    Python knows no `>>` between two lists: the DAG fails to import; use cross_downstream or chain. A task
    that takes a random way cannot be run again with the same result. A lambda has no name in logs and
    cannot be tested.

    Bad:
        from airflow.sdk import DAG
        from airflow.providers.standard.operators.empty import EmptyOperator
        with DAG("sales", schedule=None):
            a, b, c, d = (EmptyOperator(task_id=name) for name in ["a", "b", "c", "d"])
            [a, b] >> [c, d]
    Good:
        from airflow.sdk import DAG, cross_downstream
        from airflow.providers.standard.operators.empty import EmptyOperator
        with DAG("sales", schedule=None):
            a, b, c, d = (EmptyOperator(task_id=name) for name in ["a", "b", "c", "d"])
            cross_downstream([a, b], [c, d])
    """
    for node in ctx.model.list_edges:
        message = "list >> list is a TypeError; use cross_downstream(...) or chain(...)"
        yield ctx.finding(node, message, severity=Severity.ERROR)
    yield from _lambdas(ctx)
    if ctx.is_dag_file and not _SEED.search(ctx.source.text):
        for call in ctx.calls():
            name = ctx.qualified(call.func)
            if _RANDOM.match(name) and not ctx.main_block(call):
                yield ctx.finding(
                    call, f"`{name}` without a seed: a second run of the task does something else"
                )


def _lambdas(ctx: Context) -> Iterator[Finding]:
    seen: set[ast.AST] = set()
    for task in ctx.model.tasks:
        given = task.kwargs.get("python_callable")
        node = given.value.node if given is not None and isinstance(given.value, FuncV) else None
        if isinstance(node, ast.Lambda) and node not in seen:
            seen.add(node)
            yield ctx.finding(node, f"task {task.name}: a lambda as callable; write a named function")
    for key, value, _ in ctx.callbacks():
        if isinstance(value, FuncV) and isinstance(value.node, ast.Lambda) and value.node not in seen:
            seen.add(value.node)
            yield ctx.finding(value.node, f"{key}: a lambda as callable; write a named function")
