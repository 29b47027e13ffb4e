"""Alerts: L-22 critical DAGs, L-23 throttling, L-24 notifiers that are never sent."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from dag_lint.context import Context
from dag_lint.findings import Finding, Fix, Severity
from dag_lint.names import is_airflow, last
from dag_lint.registry import rule
from dag_lint.values import CallV, FuncV, NameV, Value, constant

_ALERTING = re.compile(r"(?i)slack|email|mail|notif|alert|pager|teams|opsgenie|discord|telegram|sns|webhook")


@rule("L-22", "critical-dags-alert", Severity.WARNING)
def critical_dags_alert(ctx: Context) -> Iterator[Finding]:
    """A DAG tagged production or critical has a failure notifier and a deadline.

    Somebody must hear that it failed, and that it is late - a run that never starts fails nothing. The
    callback may be on the DAG or in default_args. `critical-tags` names the tags.

    Bad:
        from airflow.sdk import DAG
        with DAG("billing", schedule=None, tags=["billing", "production"]):
            ...
    Good:
        from airflow.sdk import DAG
        from alerts import notify_team, run_deadline
        with DAG(
            "billing", schedule=None, tags=["billing", "production"],
            on_failure_callback=[notify_team], deadline=[run_deadline],
        ):
            ...
    """
    for dag in ctx.real_dags():
        marked = sorted(ctx.tags(dag)[0] & set(ctx.config.critical_tags))
        if not marked or dag.open_kwargs:
            continue
        missing = []
        defaults = dag.default_args
        in_defaults = defaults is not None and (defaults.open or "on_failure_callback" in defaults.items)
        in_tasks = bool(dag.tasks) and all("on_failure_callback" in task.kwargs for task in dag.tasks)
        if ctx.dag_setting(dag, "on_failure_callback").absent and not in_defaults and not in_tasks:
            missing.append("on_failure_callback")
        if ctx.dag_setting(dag, "deadline").absent:
            missing.append("deadline")
        if missing:
            yield ctx.finding(
                dag.node, f"DAG {dag.name} is tagged {marked[0]!r} and lacks {' and '.join(missing)}"
            )


@rule("L-23", "alert-once", Severity.WARNING)
def alert_once(ctx: Context) -> Iterator[Finding]:
    """Alerts come at the final failure; a retry is only logged.

    With three retries an alert in on_retry_callback wakes somebody three times for what repairs itself.

    Bad:
        from airflow.sdk import DAG
        from airflow.providers.slack.notifications.slack_webhook import SlackWebhookNotifier
        again = SlackWebhookNotifier(text="again")
        with DAG("sales", schedule=None, default_args={"on_retry_callback": again}):
            ...
    Good:
        from airflow.sdk import DAG
        from airflow.providers.slack.notifications.slack_webhook import SlackWebhookNotifier
        failed = SlackWebhookNotifier(text="failed")
        with DAG("sales", schedule=None, default_args={"on_failure_callback": failed}):
            ...
    """
    seen: set[ast.AST] = set()
    for key, value, node in ctx.callbacks():
        if key != "on_retry_callback" or node in seen:
            continue
        what = _alerts(ctx, value)
        if what:
            seen.add(node)
            yield ctx.finding(
                node, f"on_retry_callback alerts ({what}); log the retry and alert in on_failure_callback"
            )
    for args in ctx.model.default_args:
        retry = args.items.get("email_on_retry")
        if retry is not None and constant(retry.value) is True and retry.node not in seen:
            seen.add(retry.node)
            yield ctx.finding(
                retry.node, "email_on_retry=True mails at every retry; mail at the final failure"
            )


def _alerts(ctx: Context, value: Value) -> str:
    if isinstance(value, CallV | NameV):
        short = last(value.name)
        return short if _ALERTING.search(short) and not short.startswith("log_") else ""
    if isinstance(value, FuncV) and not isinstance(value.node, ast.Lambda):
        for node in ast.walk(value.node):
            if isinstance(node, ast.Call):
                name = ctx.qualified(node.func) or (
                    node.func.attr if isinstance(node.func, ast.Attribute) else ""
                )
                short = name.rpartition(".")[2]
                base = re.search(r"(?i)(^|\.)_?log(ger|ging)?\.", name)
                if not base and (short == "notify" or _ALERTING.search(short) or name == "requests.post"):
                    return short
    return ""


@rule("L-24", "notifier-is-sent", Severity.ERROR, fixable=True)
def notifier_is_sent(ctx: Context) -> Iterator[Finding]:
    """A callback is a notifier object, or it calls `.notify(context)` on one.

    `send_slack_notification(...)` in the body of a callback only builds a notifier: nothing is sent, and
    nobody learns so before the first incident. The same holds for an operator that is built and never
    executed, and for a function that is called where it should be given (`on_failure_callback=alert()`).

    Bad:
        from airflow.providers.slack.notifications.slack import send_slack_notification
        def alert(context):
            send_slack_notification(text="failed")
    Good:
        from airflow.providers.slack.notifications.slack import send_slack_notification
        def alert(context):
            send_slack_notification(text="failed").notify(context)
    """
    for node in ctx.source.of_type(ast.Expr):
        if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
            continue
        name = ctx.qualified(node.value.func)
        around = ctx.function_around(node)
        if around is None or not name or (around in ctx.model.called and around not in ctx.model.guessed):
            continue
        if _is_notifier(name):
            message = (
                f"`{last(name)}(...)` only builds a notifier; call `.notify(context)` or give it as callback"
            )
            yield ctx.finding(node.value, message, fix=_notify_fix(ctx, node.value, around))
        elif around in ctx.callback_functions and is_airflow(name) and last(name).endswith("Operator"):
            yield ctx.finding(
                node.value,
                f"`{last(name)}(...)` is never executed here; use a notifier object as the callback",
            )
    yield from _called(ctx)


def _is_notifier(name: str) -> bool:
    return (
        is_airflow(name)
        and ".notifications." in name
        and (last(name).endswith("Notifier") or last(name).startswith("send_"))
    )


def _notify_fix(ctx: Context, call: ast.Call, around: ast.AST) -> Fix | None:
    names = [arg.arg for arg in getattr(getattr(around, "args", None), "args", [])]
    return ctx.fix("call_notify", call) if "context" in names else None


def _called(ctx: Context) -> Iterator[Finding]:
    """`on_failure_callback=alert()` where `alert` of this file returns nothing."""
    for keyword in ctx.source.of_type(ast.keyword):
        if not isinstance(keyword, ast.keyword) or not re.match(r"on_\w+_callback$", keyword.arg or ""):
            continue
        if isinstance(keyword.value, ast.Call) and isinstance(keyword.value.func, ast.Name):
            value = ctx.model.module.names.get(keyword.value.func.id)
            if isinstance(value, FuncV) and not isinstance(value.node, ast.Lambda) and not value.wrapped:
                returns = any(isinstance(n, ast.Return) and n.value for n in ast.walk(value.node))
                lazy = any(isinstance(n, ast.Yield | ast.YieldFrom) for n in ast.walk(value.node))
                if not returns and not lazy:
                    name = keyword.value.func.id
                    yield ctx.finding(
                        keyword, f"`{name}()` is called at parse time and returns None; write `{name}`"
                    )
