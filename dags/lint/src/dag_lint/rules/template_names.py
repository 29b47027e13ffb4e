"""L-27: names that the context of a task no longer has."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from dag_lint.context import Context
from dag_lint.findings import Finding, Fix, Severity
from dag_lint.registry import rule
from dag_lint.values import Task

_REMEDY = {
    "execution_date": "`logical_date`, or `dag_run.run_after` where it may be absent",
    "next_ds": "`data_interval_end | ds`",
    "next_ds_nodash": "`data_interval_end | ds_nodash`",
    "next_execution_date": "`data_interval_end`",
    "prev_ds": "`data_interval_start` or `prev_data_interval_start_success`",
    "prev_ds_nodash": "`data_interval_start` or `prev_data_interval_start_success`",
    "prev_execution_date": "`data_interval_start` or `prev_data_interval_start_success`",
    "prev_execution_date_success": "`prev_data_interval_start_success`",
    "tomorrow_ds": "`macros.ds_add(ds, 1)`",
    "tomorrow_ds_nodash": "`macros.ds_format(macros.ds_add(ds, 1), ...)`",
    "yesterday_ds": "`macros.ds_add(ds, -1)`",
    "yesterday_ds_nodash": "`macros.ds_format(macros.ds_add(ds, -1), ...)`",
}
_REMEDY_CONF = "`dag_run.conf` for the run, `airflow.sdk.conf` for the configuration"
_NAMES = "|".join(sorted(_REMEDY, key=len, reverse=True))
_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_IN_JINJA = re.compile(rf"(?<![\w.'\"])({_NAMES})(?![\w'\"=]|\s*=[^=])")
_CONF_IN_JINJA = re.compile(r"(?<![\w.'\"])conf\s*[.\[]")
_STRING_IN_JINJA = re.compile(r"'[^']*'|\"[^\"]*\"")
_CONTEXTS = {"context", "kwargs", "ctx", "ti_context", "op_kwargs"}


@rule("L-27", "context-names", Severity.ERROR, fixable=True)
def context_names(ctx: Context) -> Iterator[Finding]:
    """No execution_date, next_ds, prev_ds, tomorrow_ds, yesterday_ds or conf of the old context.

    In Airflow 3 they are gone from templates, from the keyword arguments of callables and from the context:
    rendering fails, `context["execution_date"]` is a KeyError. `logical_date` and `ds` are absent in runs
    without a logical date.

    Bad:
        from airflow.sdk import DAG
        from airflow.providers.standard.operators.bash import BashOperator
        with DAG("sales", schedule=None):
            BashOperator(task_id="load_sales", bash_command="load {{ execution_date }}")
    Good:
        from airflow.sdk import DAG
        from airflow.providers.standard.operators.bash import BashOperator
        with DAG("sales", schedule=None):
            BashOperator(task_id="load_sales", bash_command="load {{ logical_date }}")
    """
    if not ctx.is_dag_file and not any(name.startswith("airflow") for name in ctx.imports.values()):
        return
    yield from _templates(ctx)
    yield from _lookups(ctx)
    yield from _parameters(ctx)
    for task in ctx.model.tasks:
        if task.short_cls == "TriggerDagRunOperator" and "execution_date" in task.kwargs:
            node = task.kwargs["execution_date"].node
            fix = ctx.fix("rename_kwarg", node, "execution_date", "logical_date")
            message = "TriggerDagRunOperator has no `execution_date`; write `logical_date=`"
            yield ctx.finding(
                node, message, fix=fix if isinstance(node, ast.keyword) else None, also="execution_date"
            )


def _templates(ctx: Context) -> Iterator[Finding]:
    for node in ctx.source.of_type(ast.Constant):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or "{" not in node.value:
            continue
        if node in ctx.source.docstrings or ("{{" not in node.value and "{%" not in node.value):
            continue
        found: list[str] = []
        for block in _JINJA.findall(node.value):
            plain = _STRING_IN_JINJA.sub('""', block)
            found += [match[1] for match in _IN_JINJA.finditer(plain) if match[1] not in found]
            if _CONF_IN_JINJA.search(plain) and "conf" not in found:
                found.append("conf")
        for name in found:
            remedy = _REMEDY.get(name, _REMEDY_CONF)
            yield ctx.finding(
                node, f"template uses `{name}`, gone in Airflow 3; use {remedy}", fix=_fix(ctx, node, name)
            )


def _fix(ctx: Context, node: ast.Constant, name: str) -> Fix | None:
    new = {
        "execution_date": "logical_date",
        "tomorrow_ds": "macros.ds_add(ds, 1)",
        "yesterday_ds": "macros.ds_add(ds, -1)",
    }
    in_fstring = isinstance(ctx.source.parents.get(node), ast.JoinedStr)
    return ctx.fix("template_name", node, name, new[name]) if name in new and not in_fstring else None


def _lookups(ctx: Context) -> Iterator[Finding]:
    """`context["execution_date"]`, `context.get("execution_date")`, `dag_run.execution_date`."""
    for node in ctx.source.of_type(ast.Subscript):
        if not isinstance(node, ast.Subscript) or not isinstance(node.ctx, ast.Load):
            continue
        if isinstance(node.slice, ast.Constant) and _is_context(ctx, node.value, str(node.slice.value)):
            yield _lookup(ctx, node.slice)
    for call in ctx.calls():
        if isinstance(call.func, ast.Attribute) and call.func.attr in {"get", "pop"} and call.args:
            key = call.args[0]
            if isinstance(key, ast.Constant) and _is_context(ctx, call.func.value, str(key.value)):
                yield _lookup(ctx, key)
    for node in ctx.source.of_type(ast.Attribute):
        if isinstance(node, ast.Attribute) and node.attr == "execution_date":
            base = ast.unparse(node.value)
            if (
                re.search(r"(^|[.\[\"'])(ti|task_instance|dag_run|dagrun)(['\"]\])?$", base)
                and ctx.is_dag_file
            ):
                yield ctx.finding(
                    node, "`.execution_date` is gone in Airflow 3; use `.logical_date` or `dag_run.run_after`"
                )


def _lookup(ctx: Context, key: ast.Constant) -> Finding:
    name = str(key.value)
    fix = ctx.fix("replace_string", key, name, "logical_date") if name == "execution_date" else None
    return ctx.finding(
        key, f"the context has no `{name}` in Airflow 3; use {_REMEDY.get(name, _REMEDY_CONF)}", fix=fix
    )


def _is_context(ctx: Context, node: ast.expr, key: str) -> bool:
    if key not in _REMEDY and key != "conf":
        return False
    if isinstance(node, ast.Call):
        return ctx.qualified(node.func).endswith("get_current_context")
    if not isinstance(node, ast.Name):
        return False
    around = ctx.function_around(node)
    if node.id in {"context", "ctx"}:
        return True
    own = around is not None and around.args.kwarg is not None and around.args.kwarg.arg == node.id
    runs = around in ctx.task_functions or around in ctx.callback_functions
    if not own or (around is not None and key in _own_names(ctx, around)):
        return False
    return runs or (key != "conf" and node.id in _CONTEXTS and ctx.is_dag_file)


def _own_names(ctx: Context, function: ast.AST) -> set[str]:
    """Keyword arguments that the DAG gives to the function itself."""
    return {name for task in ctx.model.tasks if task.fn and task.fn.node is function for name in task.bound}


def _parameters(ctx: Context) -> Iterator[Finding]:
    for node, task in ctx.task_functions.items():
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or not _by_context(task):
            continue
        if any(other.fn and other.fn.node is node and not _by_context(other) for other in ctx.model.tasks):
            continue
        bound = _own_names(ctx, node)
        names = [*node.args.posonlyargs, *node.args.args][
            task.bound_args if task else 0 :
        ] + node.args.kwonlyargs
        for arg in names:
            if arg.arg in _REMEDY and arg.arg not in bound and "*" not in bound:
                message = f"the context has no `{arg.arg}` in Airflow 3; use {_REMEDY[arg.arg]}"
                yield ctx.finding(arg, message)


def _by_context(task: Task | None) -> bool:
    return task is not None and task.bound_args < 99
