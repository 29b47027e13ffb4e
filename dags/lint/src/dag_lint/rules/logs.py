"""L-32: what goes to the log."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from dag_lint.context import Context
from dag_lint.findings import Finding, Severity
from dag_lint.registry import rule

_LEVELS = {"debug", "info", "warning", "warn", "error", "critical", "exception", "log"}
_LOGGER = re.compile(r"(^|\.)(log|logger|logging|_log|_logger|LOG|LOGGER|task_logger)$")
_SECRET_NAME = re.compile(
    r"(?i)^(?:\w*_)?(?:password|passwd|pwd|secret|api_?key|secret_?key|access_?key|access_?token|auth_?token|private_?key|token)$"
)
_SECRET_ATTR = {"password", "get_password", "get_uri", "extra_dejson", "extra"}


@rule("L-32", "logger-not-print", Severity.WARNING)
def logger_not_print(ctx: Context) -> Iterator[Finding]:
    """A logger instead of print; no secret and no connection object in a log.

    print has no level and no place, and shows up at every parse when it stands at top level. A connection
    object prints its password in some versions, a URI always does. One finding for each function tells how
    often it prints.

    Bad:
        from airflow.sdk import task
        @task
        def load_sales():
            print("loading")
    Good:
        import logging
        from airflow.sdk import task
        log = logging.getLogger(__name__)
        @task
        def load_sales():
            log.info("loading")
    """
    connections = _connections(ctx)
    prints: dict[ast.AST | None, list[ast.Call]] = {}
    for call in ctx.calls():
        name = ctx.qualified(call.func)
        is_print = name == "print"
        if not is_print and not (
            name.rpartition(".")[2] in _LEVELS and _LOGGER.search(name.rpartition(".")[0])
        ):
            continue
        leak = _leak(ctx, call, connections)
        if leak:
            yield ctx.finding(call, f"`{leak}` in a log; log an id or a path", severity=Severity.ERROR)
        elif is_print and ctx.is_dag_file and not ctx.main_block(call):
            prints.setdefault(ctx.function_around(call), []).append(call)
    for calls in prints.values():
        times = f" ({len(calls)} times in this block)" if len(calls) > 1 else ""
        yield ctx.finding(calls[0], f"print{times}; use `logging.getLogger(__name__)`")


def _connections(ctx: Context) -> set[tuple[ast.AST | None, str]]:
    """Names that hold a connection object, with the function they are in."""
    found: set[tuple[ast.AST | None, str]] = set()
    if not any(name.startswith("airflow") for name in ctx.imports.values()):
        return found
    for node in ctx.source.of_type(ast.Assign):
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Call)
            and isinstance(node.value.func, ast.Attribute)
        ):
            name = ctx.qualified(node.value.func)
            if node.value.func.attr == "get_connection" or name.endswith(
                ("Connection.get", "get_connection_from_secrets")
            ):
                found |= {(ctx.function_around(node), t.id) for t in node.targets if isinstance(t, ast.Name)}
    return found


def _read_constants(ctx: Context) -> set[str]:
    """Constants with the value of a variable of the environment or of Airflow: no mere names of secrets."""
    found: set[str] = set()
    for node in ctx.source.of_type(ast.Assign):
        if not isinstance(node, ast.Assign):
            continue
        value = node.value
        inner = value.func if isinstance(value, ast.Call) else getattr(value, "value", value)
        if ctx.qualified(inner) in {"os.environ", "os.environ.get", "os.getenv"} or ctx.qualified(
            inner
        ).endswith("Variable.get"):
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


def _leak(ctx: Context, call: ast.Call, connections: set[tuple[ast.AST | None, str]]) -> str:
    around = ctx.function_around(call)
    for arg in call.args:
        parts = (
            [item.value for item in arg.values if isinstance(item, ast.FormattedValue)]
            if isinstance(arg, ast.JoinedStr)
            else [arg]
        )
        for part in parts:
            inner = part.func if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute) else part
            if isinstance(inner, ast.Name):
                secret = _SECRET_NAME.match(inner.id)
                if (around, inner.id) in connections or (
                    secret and (not inner.id.isupper() or inner.id in _read_constants(ctx))
                ):
                    return inner.id
            elif isinstance(inner, ast.Attribute) and inner.attr in _SECRET_ATTR:
                base = inner.value
                known = isinstance(base, ast.Name) and (
                    (around, base.id) in connections or re.search(r"(?i)conn", base.id)
                )
                if known or inner.attr in {"password", "get_uri"}:
                    return ast.unparse(inner)
    return ""
