"""Names of DAGs, tasks and variables: L-10, L-11, L-14."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from dag_lint.context import Context
from dag_lint.findings import Finding, Severity
from dag_lint.registry import rule
from dag_lint.teams import has_prefix, prefixes, team_of
from dag_lint.values import Task

_DAG_ID = re.compile(r"^[a-z][a-z0-9]*(?:_[a-z0-9]+){2,}$")
_SNAKE = re.compile(r"^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$")
_GENERIC = re.compile(
    r"^(?:(?:my_?|the_?|a_|new_)?(?:task|step|job|operator|op|python|bash|python_task|bash_task|dummy|foo|bar|baz|test|tmp|t|do"
    r"|do_it|run_this|stuff|thing|function|func|script|untitled|work)(?:_?\d+|_[a-z])?)$"
)
_ALONE = {"start", "end", "begin", "finish", "done", "join", "watcher", "finalize", "initialize", "init"}
VERBS = frozenset((Path(__file__).parents[1] / "verbs.txt").read_text(encoding="utf-8").split())


@rule("L-10", "dag-id-format", Severity.WARNING, convention=True)
def dag_id_format(ctx: Context) -> Iterator[Finding]:
    """A dag_id is `<team>_<purpose>_<detail>`, with `_vN` for a breaking change of its contract.

    Whoever sees the id in an alert knows whom to call. The team is that of the folder or of the tenant's
    file; `team-prefixes` gives its prefixes, `exempt-dag-ids` lists ids that are fixed.

    Bad:
        from airflow.sdk import DAG
        with DAG("etl", schedule=None):
            ...
    Good:
        from airflow.sdk import DAG
        with DAG("de_ingest_s3_redshift", schedule=None):
            ...
    """
    team = team_of(ctx.source.path, ctx.config, ctx.tenants)
    for dag in ctx.model.dags:
        if dag.dag_id is None or any(fnmatch(dag.dag_id, glob) for glob in ctx.config.exempt_dag_ids):
            continue
        node = dag.kwargs["dag_id"].node if "dag_id" in dag.kwargs else dag.node
        if not _DAG_ID.match(dag.dag_id):
            yield ctx.finding(
                node, f"dag_id {dag.dag_id!r} is not <team>_<purpose>_<detail> in small letters"
            )
        elif team and not has_prefix(dag.dag_id, prefixes(team, ctx.config)):
            wanted = " or ".join(prefix + "_" for prefix in prefixes(team, ctx.config))
            yield ctx.finding(node, f"dag_id {dag.dag_id!r} of team {team} must begin with {wanted}")


@rule("L-11", "task-id-format", Severity.WARNING, convention=True)
def task_id_format(ctx: Context) -> Iterator[Finding]:
    """A task_id is verb_object in snake_case and says something: not `task1`, `my_task`, `python_task`.

    In a task group the group's name is the object and the verb may stand alone; `start`, `end` and `join`
    may as well. `verbs` adds words, `exempt-task-ids` lists ids that are fixed.

    Bad:
        from airflow.sdk import DAG
        from airflow.providers.standard.operators.bash import BashOperator
        with DAG("sales", schedule=None):
            BashOperator(task_id="task1", bash_command="extract")
    Good:
        from airflow.sdk import DAG
        from airflow.providers.standard.operators.bash import BashOperator
        with DAG("sales", schedule=None):
            BashOperator(task_id="extract_raw_data", bash_command="extract")
    """
    seen: set[ast.AST] = set()
    for task in ctx.model.tasks:
        name = task.task_id
        globs = ctx.config.exempt_task_ids
        if name is None or task.node in seen or any(fnmatch(task.full_id or name, glob) for glob in globs):
            continue
        seen.add(task.node)
        problem = _task_problem(name, task, VERBS | set(ctx.config.verbs))
        if problem:
            node = task.kwargs["task_id"].node if "task_id" in task.kwargs else task.node
            yield ctx.finding(node, f"task_id {name!r} {problem}")


def _task_problem(name: str, task: Task, verbs: frozenset[str]) -> str:
    plain = re.sub(r"__\d+$", "", name)
    if not _SNAKE.match(plain):
        return "is not snake_case"
    if _GENERIC.match(plain):
        return "says nothing; name it verb_object"
    words = plain.split("_")
    if plain in _ALONE or (task.group is not None and any(_is_verb(word, verbs) for word in words)):
        return ""
    if not any(_is_verb(word, verbs) for word in words):
        return "has no verb; name it verb_object"
    return "has no object; name it verb_object" if len(words) < 2 else ""


def _is_verb(word: str, verbs: frozenset[str]) -> bool:
    return word in verbs or word.replace("is", "iz") in verbs


_SECRET = re.compile(
    r"(?i)(?:^|_)(?:pw|pwd|passw(?:or)?d|secret|token|api_?key|private_?key|credentials?)(?:_|$)"
)
_JINJA_VAR = re.compile(r"var\.(?:value|json)\.(?:get\(\s*['\"])?(\w+)")


@rule("L-14", "variable-names", Severity.WARNING, convention=True)
def variable_names(ctx: Context) -> Iterator[Finding]:
    """Variables are named `<team>_<usage>_<context>`, and none holds a secret.

    Variables are shown in the UI and shared by all DAGs of an Airflow; passwords and keys belong in a
    connection or the secret backend. `variable-allow` lists names that are fixed.

    Bad:
        from airflow.sdk import task, Variable
        @task
        def read_password():
            return Variable.get("pw")
    Good:
        from airflow.sdk import task, Variable
        @task
        def read_day():
            return Variable.get("team_analytics_report_day")
    """
    for node, name in _variables(ctx):
        if any(fnmatch(name, glob) for glob in ctx.config.variable_allow):
            continue
        if _SECRET.search(name):
            yield ctx.finding(
                node, f"variable {name!r} looks like a secret; put it in a connection or a secret backend"
            )
        elif not _DAG_ID.match(name):
            yield ctx.finding(node, f"variable {name!r} is not <team>_<usage>_<context>")


def _variables(ctx: Context) -> Iterator[tuple[ast.AST, str]]:
    for call in ctx.calls():
        name = ctx.qualified(call.func)
        if re.search(r"(^|\.)Variable\.(get|set|setdefault)$", name) and call.args:
            first = call.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first, first.value
    for node in ctx.source.of_type(ast.Constant):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and "var." in node.value
            and "{{" in node.value
        ):
            for match in _JINJA_VAR.finditer(node.value):
                if match[1] != "get":
                    yield node, match[1]
