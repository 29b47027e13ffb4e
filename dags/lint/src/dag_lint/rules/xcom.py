"""L-16: what goes through XCom."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from dag_lint.context import Context
from dag_lint.findings import Finding, Severity
from dag_lint.registry import rule
from dag_lint.values import Task, constant

_FRAME = re.compile(
    r"^(?:pandas|polars|pd|pl|geopandas|gpd|dask\.dataframe|dd)\.(?:DataFrame|read_\w+|concat|merge|json_normalize|scan_\w+)$"
)
_ROWS = {
    "fetchall",
    "get_records",
    "get_pandas_df",
    "get_df",
    "to_pandas",
    "toPandas",
    "read_pandas",
    "fetch_pandas_all",
}
_FRAME_METHODS = {
    "dropna", "fillna", "drop", "rename", "merge", "join", "groupby", "sort_values", "reset_index",
    "set_index", "copy", "drop_duplicates", "astype", "assign", "query", "head", "apply", "pivot", "melt",
    "agg", "filter", "with_columns",
}  # fmt: skip
_SERIAL = {"to_json", "to_dict", "to_csv", "to_records", "to_html", "to_string"}
_BYTES = re.compile(r"^(?:pickle|cloudpickle|dill|joblib)\.dumps$")


@rule("L-16", "small-xcom", Severity.WARNING)
def small_xcom(ctx: Context) -> Iterator[Finding]:
    """Tasks pass metadata, not data: no DataFrame, no rows, no bytes as return value or XCom.

    XComs are rows of Airflow's database (the rule of this project: less than 48 KB). Write the data to
    storage and return its path and size. Found are frames of pandas and polars, results of
    fetchall/get_records/get_df, pickles and contents of files and responses, also as JSON text.

    Bad:
        import pandas as pd
        from airflow.sdk import dag, task
        @task
        def extract_sales():
            return pd.read_csv("sales.csv")
    Good:
        import pandas as pd
        from airflow.sdk import dag, task
        @task
        def extract_sales():
            frame = pd.read_csv("sales.csv")
            frame.to_parquet("sales.parquet")
            return {"path": "sales.parquet", "rows": len(frame)}
    """
    for node, task in ctx.task_functions.items():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not _no_xcom(task):
            yield from _function(ctx, node)


def _no_xcom(task: Task | None) -> bool:
    if task is None:
        return False
    return task.cls in {"@task.branch", "@task.short_circuit"} or (
        "do_xcom_push" in task.kwargs and constant(task.kwargs["do_xcom_push"].value) is not True
    )


def _function(ctx: Context, fn: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[Finding]:
    own = [node for node in ast.walk(fn) if ctx.function_around(node) is fn]
    known = _known_names(ctx, own)
    for node in own:
        if isinstance(node, ast.Return) and node.value is not None:
            parts = node.value.values if isinstance(node.value, ast.Dict) else []
            kind = next((kind for value in [node.value, *parts] if (kind := _kind(ctx, value, known))), "")
            if kind:
                yield ctx.finding(
                    node, f"task {fn.name} returns {kind}; write it to storage and return the path"
                )
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "xcom_push"
        ):
            pushed = [item.value for item in node.keywords if item.arg == "value"] + node.args[1:2]
            kind = _kind(ctx, pushed[0], known) if pushed else ""
            if kind:
                yield ctx.finding(
                    node, f"task {fn.name} pushes {kind}; write it to storage and push the path"
                )


def _known_names(ctx: Context, own: list[ast.AST]) -> dict[str, str]:
    """What the names of a function hold after its last assignment, for those that hold data."""
    known: dict[str, str] = {}
    assigns = [node for node in own if isinstance(node, ast.Assign)]
    for node in sorted(assigns, key=lambda item: item.lineno):
        kind = _kind(ctx, node.value, known)
        for target in node.targets:
            if isinstance(target, ast.Name):
                known.pop(target.id, None)
                if kind:
                    known[target.id] = kind
    return known


def _kind(ctx: Context, node: ast.expr, known: dict[str, str]) -> str:
    """What an expression holds, when it is data rather than metadata; else an empty text."""
    if isinstance(node, ast.Name):
        return known.get(node.id, "")
    if isinstance(node, ast.Constant):
        return "bytes" if isinstance(node.value, bytes) and len(node.value) > 64 else ""
    if isinstance(node, ast.Attribute):
        base = ctx.qualified(node.value)
        return (
            "the body of a response"
            if node.attr == "content" and re.search(r"resp|response|^r$", base)
            else ""
        )
    if isinstance(node, ast.Subscript):
        inner = _kind(ctx, node.value, known)
        return inner if inner == "a DataFrame" and isinstance(node.slice, ast.List | ast.Compare) else ""
    if isinstance(node, ast.Call):
        return _call_kind(ctx, node, known)
    return ""


def _call_kind(ctx: Context, node: ast.Call, known: dict[str, str]) -> str:
    name = ctx.qualified(node.func)
    if name and _FRAME.match(name):
        return "a DataFrame"
    if name and _BYTES.match(name):
        return "a pickle"
    if not isinstance(node.func, ast.Attribute):
        return ""
    attr = node.func.attr
    if attr in _ROWS:
        return "rows of a query" if attr in {"fetchall", "get_records"} else "a DataFrame"
    if attr == "read" and isinstance(node.func.value, ast.Call) and _opens_binary(node.func.value):
        return "the bytes of a file"
    inner = _kind(ctx, node.func.value, known)
    if inner != "a DataFrame":
        return ""
    if attr in _SERIAL:
        target = bool(node.args) and attr != "to_dict"
        return (
            ""
            if target or any(k.arg in {"path_or_buf", "path", "buf"} for k in node.keywords)
            else "a DataFrame as text"
        )
    return inner if attr in _FRAME_METHODS else ""


def _opens_binary(node: ast.Call) -> bool:
    mode = (
        node.args[1]
        if len(node.args) > 1
        else next((k.value for k in node.keywords if k.arg == "mode"), None)
    )
    return (
        isinstance(node.func, ast.Name)
        and node.func.id == "open"
        and isinstance(mode, ast.Constant)
        and "b" in str(mode.value)
    )
