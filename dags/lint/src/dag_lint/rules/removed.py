"""What Airflow 3 has removed or deprecated: imports (L-02) and arguments (L-26)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from dag_lint.context import Context
from dag_lint.findings import Finding, Fix, Severity
from dag_lint.moves import MOVES, OLD_PROVIDER_MODULE, STILL_WORKS, moved_module, removed_hint
from dag_lint.names import is_airflow, last
from dag_lint.registry import rule
from dag_lint.values import Arg, constant

_OLD_MODULE = re.compile(OLD_PROVIDER_MODULE)
_DAG_ARGUMENTS = {
    "concurrency": "max_active_tasks",
    "fail_stop": "fail_fast",
    "default_view": "",
    "orientation": "",
    "full_filepath": "",
}


@rule("L-02", "removed-imports", Severity.ERROR, fixable=True)
def removed_imports(ctx: Context) -> Iterator[Finding]:
    """No import and no argument that Airflow 3 has removed or deprecated.

    What is removed fails at import; what is deprecated warns at every parse and goes with the next release.
    Found by ruff's AIR rules and by a table of its own for what these leave out (days_ago, contrib,
    default_view, concurrency). Imports under `try: ... except ImportError` and under a test of the version
    are compatibility code and left alone. The repair of an import keeps the local name: `from new.module
    import EmptyOperator as DummyOperator`.

    Bad:
        from airflow.operators.bash import BashOperator
    Good:
        from airflow.providers.standard.operators.bash import BashOperator
    """
    for node in ctx.source.of_type(ast.ImportFrom):
        here = isinstance(node, ast.ImportFrom) and node.level == 0 and is_airflow(node.module or "")
        if here and isinstance(node, ast.ImportFrom) and not guarded(ctx, node):
            yield from _import_from(ctx, node)
    for node in ctx.source.of_type(ast.Import):
        if isinstance(node, ast.Import) and not guarded(ctx, node):
            for alias in node.names:
                hint = removed_hint(alias.name, "") if is_airflow(alias.name) else None
                if hint:
                    yield ctx.finding(
                        node, f"`{alias.name}` is removed in Airflow 3; use {hint}", also=alias.name
                    )
    for dag in ctx.real_dags():
        for key in sorted(dag.kwargs.keys() & _DAG_ARGUMENTS.keys()):
            where = dag.kwargs[key].node
            new = _DAG_ARGUMENTS[key]
            fix = ctx.fix("rename_kwarg", where, key, new) if new and new not in dag.kwargs else None
            message = f"DAG argument `{key}` is removed in Airflow 3" + (f"; write `{new}=`" if new else "")
            yield ctx.finding(where, message, fix=fix if isinstance(where, ast.keyword) else None, also=key)


def _import_from(ctx: Context, node: ast.ImportFrom) -> Iterator[Finding]:
    module = node.module or ""
    moved: list[str] = []
    for alias in node.names:
        new = MOVES.get((module, alias.name))
        if new is not None:
            moved.append(alias.name)
            severity = Severity.WARNING if module in STILL_WORKS else Severity.ERROR
            verb = "is deprecated" if module in STILL_WORKS else "is removed in Airflow 3"
            message = f"`{module}.{alias.name}` {verb}; import {new[1]} from {new[0]}"
            also = f"{module}.{alias.name}"
            yield ctx.finding(node, message, severity=severity, fix=_move_fix(ctx, node), also=also)
            continue
        hint = removed_hint(module, alias.name)
        if hint is None and (_OLD_MODULE.match(module) or module in {"airflow.operators", "airflow.sensors"}):
            hint = moved_module(f"{module}.{alias.name}") or "its provider package"
        if hint and "apply_defaults" not in {alias.name, last(module)}:
            also = f"{module}.{alias.name}"
            yield ctx.finding(node, f"`{module}.{alias.name}` is removed in Airflow 3; use {hint}", also=also)


def _move_fix(ctx: Context, node: ast.ImportFrom) -> Fix | None:
    """The repair of the whole statement, for the names that have moved."""
    if any(alias.name == "*" for alias in node.names):
        return None
    data: list[str] = []
    for alias in node.names:
        new = MOVES.get((node.module or "", alias.name))
        if new is not None:
            data += [alias.name, new[0], new[1]]
    return ctx.fix("move_import", node, *data)


def guarded(ctx: Context, node: ast.AST) -> bool:
    """Whether an import is compatibility code: a fallback for ImportError, or under a test of a version."""
    child, current = node, ctx.source.parents.get(node)
    while current is not None:
        if isinstance(current, ast.Try) and child not in current.finalbody and _catches_import(current):
            return True
        if isinstance(current, ast.If) and re.search(
            r"version|AIRFLOW_V|TYPE_CHECKING", ast.unparse(current.test), re.I
        ):
            return "TYPE_CHECKING" not in ast.unparse(current.test)
        child, current = current, ctx.source.parents.get(current)
    return False


def _catches_import(node: ast.Try) -> bool:
    return any(
        handler.type is None
        or re.search(r"ImportError|ModuleNotFoundError|Exception", ast.unparse(handler.type))
        for handler in node.handlers
    )


_ARGUMENTS = {
    "sla": "use a DeadlineAlert in the DAG's `deadline=`",
    "sla_miss_callback": "use a DeadlineAlert in the DAG's `deadline=`",
    "email_on_failure": "use SmtpNotifier in on_failure_callback",
    "email_on_retry": "delete it: retries are logged",
    "provide_context": "delete it: the context is always passed",
}


@rule("L-26", "removed-arguments", Severity.WARNING, fixable=True)
def removed_arguments(ctx: Context) -> Iterator[Finding]:
    """No sla, sla_miss_callback, email_on_failure, email_on_retry, provide_context, apply_defaults.

    SLAs have no effect in Airflow 3: nobody is told. Mail arguments are deprecated. provide_context and
    apply_defaults are gone and raise an error.

    Bad:
        from datetime import timedelta
        from airflow.sdk import DAG
        with DAG("sales", schedule=None, default_args={"sla": timedelta(hours=1)}):
            ...
    Good:
        from datetime import timedelta
        from airflow.sdk import DAG, AsyncCallback, DeadlineAlert, DeadlineReference
        deadline = DeadlineAlert(
            reference=DeadlineReference.DAGRUN_QUEUED_AT, interval=timedelta(hours=1),
            callback=AsyncCallback("a.b"),
        )
        with DAG("sales", schedule=None, deadline=deadline):
            ...
    """
    seen: set[ast.AST] = set()
    sources = [(args.items, args.keys) for args in ctx.model.default_args]
    sources += [(dag.kwargs, {}) for dag in ctx.model.dags]
    sources += [(task.kwargs, {}) for task in ctx.model.tasks]
    for items, keys in sources:
        for key in sorted(items.keys() & _ARGUMENTS.keys()):
            node = keys.get(key, items[key].node)
            if node in seen or not hasattr(node, "lineno"):
                continue
            seen.add(node)
            error = key == "provide_context"
            fix = _argument_fix(ctx, key, node)
            severity = Severity.ERROR if error else Severity.WARNING
            verb = "is removed in" if error else "is deprecated in" if "email" in key else "has no effect in"
            off = _mails_nothing(items, key)
            remedy = "delete it, and `email` with it" if off else _ARGUMENTS[key]
            message = f"`{key}` {verb} Airflow 3; {remedy}"
            yield ctx.finding(node, message, severity=severity, fix=fix, also=key)
    for node in ctx.source.of_type(ast.ImportFrom):
        here = isinstance(node, ast.ImportFrom) and is_airflow(node.module or "")
        names = {alias.name for alias in node.names} if isinstance(node, ast.ImportFrom) else set()
        if here and "apply_defaults" in names and not guarded(ctx, node):
            message = "`apply_defaults` is removed in Airflow 3; operators need no decorator"
            yield ctx.finding(node, message, severity=Severity.ERROR, also="apply_defaults")


def _mails_nothing(items: dict[str, Arg], key: str) -> bool:
    """Whether the argument only switches mails off, and no other one switches them on."""
    both = [constant(items[name].value) for name in ("email_on_failure", "email_on_retry") if name in items]
    return key.startswith("email_on") and all(value is False for value in both)


def _argument_fix(ctx: Context, key: str, node: ast.AST) -> Fix | None:
    if key != "provide_context":
        return None
    if isinstance(node, ast.keyword):
        return ctx.fix("remove_kwarg", node, key)
    return ctx.fix("remove_dict_item", node, key) if isinstance(node, ast.Constant) else None
