"""Pools and priorities: L-25, L-37."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from dag_lint.context import Context
from dag_lint.findings import Finding, Severity
from dag_lint.registry import rule
from dag_lint.values import constant, text_of


@rule("L-25", "known-pool", Severity.ERROR)
def known_pool(ctx: Context) -> Iterator[Finding]:
    """The pool is one of the tenant's, and pool_slots is not more than it has.

    A task in a pool that does not exist stays scheduled for ever, without an error; so does one that wants
    more slots than there are. Needs the AirflowTenant file (`--tenant`, `tenants`).

    Bad:
        from airflow.sdk import DAG
        from airflow.providers.standard.operators.bash import BashOperator
        with DAG("train", schedule=None):
            BashOperator(task_id="train_model", bash_command="train", pool="gpu_poll")
    Good:
        from airflow.sdk import DAG
        from airflow.providers.standard.operators.bash import BashOperator
        with DAG("train", schedule=None):
            BashOperator(task_id="train_model", bash_command="train", pool="gpu_pool")
    """
    if not ctx.tenants:
        return
    pools = {"default_pool": 128}
    for tenant in ctx.tenants:
        for known, size in tenant.pools.items():
            new = known not in pools or known == "default_pool"
            pools[known] = size if new else max(pools[known], size)
    seen: set[ast.AST] = set()
    for task in ctx.model.tasks:
        pool = ctx.task_setting(task, "pool")
        name = text_of(pool.value)
        if name is None or "{" in name:
            continue
        node = pool.node or task.node
        if name not in pools:
            if node not in seen:
                seen.add(node)
                yield ctx.finding(
                    node, f"pool {name!r} is not in the tenant's file; known are {', '.join(sorted(pools))}"
                )
            continue
        slots = ctx.task_setting(task, "pool_slots")
        wanted = constant(slots.value)
        if isinstance(wanted, int) and 0 <= pools[name] < wanted and slots.node not in seen:
            seen.add(slots.node or task.node)
            yield ctx.finding(
                slots.node or task.node, f"pool_slots={wanted}, but pool {name!r} has {pools[name]}"
            )


@rule("L-37", "priority-is-earned", Severity.WARNING, convention=True)
def priority_is_earned(ctx: Context) -> Iterator[Finding]:
    """priority_weight above 1 and a queue for urgent work only in DAGs tagged critical.

    When everybody is first nobody is. `priority-tags` names the tags.

    Bad:
        from airflow.sdk import DAG
        from airflow.providers.standard.operators.bash import BashOperator
        with DAG("report", schedule=None, tags=["report"]):
            BashOperator(task_id="make_report", bash_command="report", priority_weight=100)
    Good:
        from airflow.sdk import DAG
        from airflow.providers.standard.operators.bash import BashOperator
        with DAG("billing", schedule=None, tags=["billing", "critical"]):
            BashOperator(task_id="make_invoices", bash_command="bill", priority_weight=100)
    """
    seen: set[ast.AST] = set()
    for task in ctx.model.tasks:
        if task.dag is None:
            continue
        tags, complete = ctx.tags(task.dag)
        if not complete or tags & set(ctx.config.priority_tags):
            continue
        weight = ctx.task_setting(task, "priority_weight")
        number = constant(weight.value)
        node = weight.node or task.node
        if isinstance(number, int) and number > 1 and node not in seen:
            seen.add(node)
            yield ctx.finding(
                node, f"priority_weight={number} in DAG {task.dag.name}, which is not tagged critical"
            )
        queue = ctx.task_setting(task, "queue")
        queue_name = text_of(queue.value) or ""
        node = queue.node or task.node
        if re.search(r"(?i)high|prio|urgent|critical|express", queue_name) and node not in seen:
            seen.add(node)
            yield ctx.finding(
                node, f"queue={queue_name!r} in DAG {task.dag.name}, which is not tagged critical"
            )
