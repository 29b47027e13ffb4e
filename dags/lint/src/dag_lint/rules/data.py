"""L-17: a second run of a task gives the same end state."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from dag_lint.context import Context, keyword
from dag_lint.findings import Finding, Severity
from dag_lint.registry import rule
from dag_lint.values import Dag

_INSERT = re.compile(
    r"\bINSERT\s+(?:INTO|IGNORE\s+INTO)\s+(?:TABLE\s+)?([\w.\"`\[\]{}$#@:-]+)", re.IGNORECASE
)
_SAFE = re.compile(
    r"\bON\s+(?:CONFLICT|DUPLICATE\s+KEY)\b|\bMERGE\s+INTO\b|\bINSERT\s+(?:OVERWRITE|IGNORE|OR\s+(?:REPLACE|IGNORE))\b|"
    r"\bREPLACE\s+INTO\b|\bNOT\s+EXISTS\b|\bNOT\s+IN\b|\bEXCEPT\b|\bCREATE\s+(?:OR\s+REPLACE|TEMP)|\bROLLBACK\b",
    re.IGNORECASE,
)
_CLEARS = (
    r"(?:DELETE\s+FROM|TRUNCATE(?:\s+TABLE)?|DROP\s+TABLE(?:\s+IF\s+EXISTS)?|ALTER\s+TABLE"
    r"|CREATE\s+TABLE(?!\s+IF))\s+"
)
_FOLLOWS = r"\s*(?:\(|\{|(?:VALUES|SELECT|WITH|PARTITION|DEFAULT|FORMAT)\b)"
_TEMPORARY = re.compile(r"^[\"`\[]*(?:#|tmp|temp)|(?:_tmp|_temp)\b", re.IGNORECASE)


@rule("L-17", "idempotent", Severity.WARNING)
def idempotent(ctx: Context) -> Iterator[Finding]:
    """Run twice, same end state: no plain INSERT, no write that only appends.

    Retries, clears and backfills run a task again. Use an upsert (ON CONFLICT, MERGE), delete the partition
    first, or overwrite it. Found are `INSERT INTO` without any of these, `if_exists="append"`,
    `.mode("append")`, WRITE_APPEND and `open(..., "a")`. Where something else makes it safe say so: a DAG
    tag of `idempotent-tags`, or the comment `# dag-lint: idempotent reason: ...` in the function or
    statement.

    Bad:
        from airflow.sdk import DAG
        from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
        with DAG("sales", schedule=None):
            SQLExecuteQueryOperator(task_id="load_sales", sql="INSERT INTO sales SELECT * FROM new")
    Good:
        from airflow.sdk import DAG
        from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
        with DAG("sales", schedule=None):
            SQLExecuteQueryOperator(
                task_id="load_sales", conn_id="db",
                sql="INSERT INTO sales SELECT * FROM new ON CONFLICT (id) DO UPDATE SET sum = excluded.sum",
            )
    """
    if not ctx.is_dag_file or _tagged(ctx):
        return
    for node, message in _appends(ctx):
        if not _marked(ctx, node) and not ctx.main_block(node):
            yield ctx.finding(node, message)


def _tagged(ctx: Context) -> bool:
    def has(dag: Dag) -> bool:
        return bool(ctx.tags(dag)[0] & set(ctx.config.idempotent_tags))

    return bool(ctx.model.dags) and all(has(dag) for dag in ctx.model.dags)


def _marked(ctx: Context, node: ast.AST) -> bool:
    lines = ctx.source.idempotent_lines
    current: ast.AST | None = node
    while current is not None and lines:
        if isinstance(current, ast.stmt) and not isinstance(current, ast.With | ast.ClassDef | ast.If):
            first = min([current.lineno, *(d.lineno for d in getattr(current, "decorator_list", []))])
            if any(first <= line <= (current.end_lineno or first) for line in lines):
                return True
        current = ctx.source.parents.get(current)
    return False


def _appends(ctx: Context) -> Iterator[tuple[ast.AST, str]]:
    for node in ctx.source.of_type(ast.Constant, ast.JoinedStr):
        if node in ctx.source.docstrings or isinstance(ctx.source.parents.get(node), ast.JoinedStr):
            continue
        text = _text(node)
        match = _INSERT.search(text) if "insert" in text.lower() else None
        if match and not _SAFE.search(text) and _statement(text, match) and not _cleared(ctx, match[1]):
            yield (
                node,
                f"plain INSERT INTO {match[1].strip()}: a second run doubles the rows; upsert or overwrite",
            )
    for call in ctx.calls():
        found = _append_call(ctx, call)
        if found:
            yield call, f"{found} only appends: a second run doubles the data; overwrite or upsert"


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(item) if isinstance(item, ast.Constant) else "{}" for item in node.values)
    return ""


def _statement(text: str, match: re.Match[str]) -> bool:
    """Whether it is SQL, not a sentence about it: in the middle of a line SQL must follow at once."""
    before, rest = text[: match.start()].rstrip(" \t"), text[match.end() :]
    if before and before[-1] not in "\n;({}":
        sql = re.match(_FOLLOWS, rest, re.IGNORECASE)
    else:
        sql = re.search(r"\b(?:VALUES|SELECT|FROM|WITH|TABLE)\b|\(|\{", rest, re.IGNORECASE)
    return bool(sql) and not _TEMPORARY.search(match[1])


def _cleared(ctx: Context, table: str) -> bool:
    """Whether the file empties the table, or a partition of it, somewhere."""
    name = table.strip('"`[]').strip()
    if name in {"", "{}"} or "{" in name:
        return bool(re.search(_CLEARS, ctx.source.text, re.IGNORECASE))
    return bool(
        re.search(_CLEARS + r"(?:ONLY\s+)?[\"`\[]*" + re.escape(name), ctx.source.text, re.IGNORECASE)
    )


def _append_call(ctx: Context, call: ast.Call) -> str:
    for name, value in (("if_exists", "append"), ("write_disposition", "WRITE_APPEND")):
        item = keyword(call, name)
        if item is not None and isinstance(item.value, ast.Constant) and item.value.value == value:
            return f'{name}="{value}"'
    texts = [arg.value for arg in call.args if isinstance(arg, ast.Constant)]
    if isinstance(call.func, ast.Attribute) and call.func.attr == "mode" and texts == ["append"]:
        return '.mode("append")'
    if isinstance(call.func, ast.Name) and call.func.id == "open" and len(call.args) > 1:
        mode = str(getattr(call.args[1], "value", ""))
        if mode.startswith("a") and ctx.function_around(call) in ctx.task_functions:
            return f'open(..., "{mode}")'
    return ""
