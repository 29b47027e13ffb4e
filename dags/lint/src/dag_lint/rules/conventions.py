"""Tags, owner and classification: L-12, L-13, L-38."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from dag_lint.context import Context
from dag_lint.findings import Finding, Severity
from dag_lint.registry import rule
from dag_lint.teams import has_prefix, owners, prefixes, team_of
from dag_lint.values import Dag, Task, text_of


@rule("L-12", "tags", Severity.WARNING, convention=True)
def tags(ctx: Context) -> Iterator[Finding]:
    """A DAG has at least two tags: its team and what it does.

    Tags are how people find a DAG among hundreds, and how permissions, dashboards and other rules (L-22,
    L-38) choose them.

    Bad:
        from airflow.sdk import DAG
        with DAG("de_ingest_sales", schedule=None, tags=[]):
            ...
    Good:
        from airflow.sdk import DAG
        with DAG("de_ingest_sales", schedule=None, tags=["data_engineering", "ingestion"]):
            ...
    """
    for dag in ctx.real_dags():
        found, complete = ctx.tags(dag)
        if complete and len(found) < 2 and not dag.open_kwargs:
            setting = ctx.dag_setting(dag, "tags")
            yield ctx.finding(
                setting.node or dag.node, f"DAG {dag.name}: tag the team and the function at least"
            )


@rule("L-13", "owner-is-team", Severity.WARNING, convention=True)
def owner_is_team(ctx: Context) -> Iterator[Finding]:
    """Owner, folder, prefix of the dag_id and tag name the same team.

    The default owner `airflow` calls nobody. The team is that of the folder (`team-folder`) or of the
    tenant's file; `team-prefixes` and `team-owners` tell other spellings.

    Bad:
        from airflow.sdk import DAG
        with DAG("de_ingest_sales", schedule=None, default_args={"owner": "airflow"}):
            ...
    Good:
        from airflow.sdk import DAG
        with DAG("de_ingest_sales", schedule=None, default_args={"owner": "data_engineering"}):
            ...
    """
    team = team_of(ctx.source.path, ctx.config, ctx.tenants)
    for dag in ctx.real_dags():
        yield from _owner(ctx, dag, team)
        if team is None:
            continue
        found, complete = ctx.tags(dag)
        names = {*owners(team, ctx.config), *prefixes(team, ctx.config)}
        if complete and found and not found & names:
            node = ctx.dag_setting(dag, "tags").node or dag.node
            yield ctx.finding(node, f"DAG {dag.name} of team {team} lacks the tag {team!r}")
        exempt = dag.dag_id in ctx.config.exempt_dag_ids
        if dag.dag_id and not exempt and not has_prefix(dag.dag_id, prefixes(team, ctx.config)):
            wanted = prefixes(team, ctx.config)[0]
            yield ctx.finding(
                dag.node,
                f"DAG {dag.name} lies in the folder of {team} but its id does not begin with {wanted}_",
            )


def _owner(ctx: Context, dag: Dag, team: str | None) -> Iterator[Finding]:
    defaults = dag.default_args
    if defaults is None or (defaults.open and "owner" not in defaults.items):
        return
    given = defaults.items.get("owner")
    if given is None:
        if (
            dag.tasks
            and not all("owner" in task.kwargs or task.open for task in dag.tasks)
            and not dag.open_kwargs
        ):
            yield ctx.finding(dag.node, f"DAG {dag.name} has no owner; name the team in default_args")
        return
    owner = text_of(given.value)
    if owner is None:
        return
    if owner.lower() in {"airflow", "admin", "root", "owner", "me", ""}:
        yield ctx.finding(given.node, f"owner {owner!r} is nobody; name the team")
    elif team is not None and owner not in owners(team, ctx.config):
        yield ctx.finding(given.node, f"owner {owner!r} is not the team {team!r} that the file belongs to")


_TRANSFER = re.compile(
    r"^(?!ProduceTo|AddTo|PublishTo)[A-Z][A-Za-z0-9]*To[A-Z][A-Za-z0-9]*Operator$"
    r"|^(?:SFTP|FTP)\w*Operator$|TransferOperator$"
)
_PERSONAL = re.compile(
    r"(?i)(^|_)(pii|gdpr|personal_data|ssn|passport|customer_emails?|email_addresses|phone_numbers?|birth_?dates?)(_|$)"
)


@rule("L-38", "classified-transfers", Severity.WARNING, convention=True)
def classified_transfers(ctx: Context) -> Iterator[Finding]:
    """A DAG that moves data or handles personal data has a classification tag and writes an audit line.

    `classification-tags` names the tags. The audit line is a log call, a function or a callback with
    "audit" in it.

    Bad:
        from airflow.sdk import DAG
        from airflow.providers.amazon.aws.transfers.s3_to_redshift import S3ToRedshiftOperator
        with DAG("de_ingest_users", schedule=None, tags=["data_engineering", "ingestion"]):
            S3ToRedshiftOperator(task_id="load_users", schema="crm", table="users", s3_bucket="b", s3_key="k")
    Good:
        from airflow.sdk import DAG
        from airflow.providers.amazon.aws.transfers.s3_to_redshift import S3ToRedshiftOperator
        from audit import audit_transfer
        with DAG("de_ingest_users", schedule=None, tags=["pii"], on_success_callback=[audit_transfer]):
            S3ToRedshiftOperator(task_id="load_users", schema="crm", table="users", s3_bucket="b", s3_key="k")
    """
    audited = _audited(ctx)
    for dag in ctx.model.dags:
        task = next((task for task in dag.tasks if _moves_data(task)), None)
        if task is None:
            continue
        found, complete = ctx.tags(dag)
        missing = []
        if complete and not {tag.lower() for tag in found} & set(ctx.config.classification_tags):
            missing.append(f"a classification tag ({', '.join(ctx.config.classification_tags)})")
        if not audited:
            missing.append("an audit log line")
        if missing:
            yield ctx.finding(
                task.node, f"task {task.name} moves data: DAG {dag.name} needs {' and '.join(missing)}"
            )


def _moves_data(task: Task) -> bool:
    return bool(_TRANSFER.search(task.short_cls)) or bool(_PERSONAL.search(task.full_id or ""))


def _audited(ctx: Context) -> bool:
    for node in ctx.source.of_type(ast.Name, ast.Attribute):
        text = node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")
        if "audit" in text.lower():
            return True
    logs = [
        c for c in ctx.calls() if isinstance(c.func, ast.Attribute) and c.func.attr in {"info", "warning"}
    ]
    return any("audit" in ast.unparse(call.args[0]).lower() for call in logs if call.args)
