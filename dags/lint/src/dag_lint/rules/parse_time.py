"""What happens when a file is parsed: L-15 work at top level, L-28 database access, L-36 import errors."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from dag_lint.context import Context, FunctionNode
from dag_lint.edges import Graph
from dag_lint.findings import Finding, Severity
from dag_lint.names import is_airflow
from dag_lint.registry import rule
from dag_lint.rules.external import is_hook_class, is_http_call
from dag_lint.rules.literals import bad_literals

HEAVY = {
    "pandas", "numpy", "scipy", "sklearn", "tensorflow", "torch", "keras", "xgboost", "lightgbm", "catboost",
    "matplotlib", "seaborn", "plotly", "transformers", "pyspark", "dask", "polars", "mlflow",
    "great_expectations", "cv2", "spacy", "nltk", "statsmodels", "prophet", "geopandas", "snowflake.snowpark",
    "feast", "ray",
}  # fmt: skip
_NETWORK = {
    "urllib.request.urlopen", "psycopg2.connect", "pymysql.connect", "mysql.connector.connect",
    "boto3.client", "boto3.resource", "boto3.Session", "boto3.session.Session", "smtplib.SMTP",
    "snowflake.connector.connect", "pymongo.MongoClient", "redis.Redis",
}  # fmt: skip


@rule("L-15", "quiet-top-level", Severity.WARNING)
def quiet_top_level(ctx: Context) -> Iterator[Finding]:
    """No Variable.get, hook, network call or heavy import while the file is parsed.

    The DAG processor parses every file every few seconds, and every task parses it again. A Variable.get is
    a request to the database or the secret backend each time, an import of pandas costs a second. Move it
    into the task, or use the template `{{ var.value.name }}`. `heavy-imports` adds modules to the list.
    In modules without a DAG only variables and connections are looked for: they are read when a DAG file
    imports the module.

    Bad:
        from airflow.sdk import DAG, Variable
        REGION = Variable.get("region")
        with DAG("sales", schedule=None):
            ...
    Good:
        from airflow.sdk import DAG, Variable, task
        with DAG("sales", schedule=None):
            @task
            def load_sales():
                region = Variable.get("region")
    """
    if not ctx.is_dag_file:
        yield from _read_at_import(ctx)
        return
    heavy = HEAVY | set(ctx.config.heavy_imports)
    for node in ctx.source.of_type(ast.Import, ast.ImportFrom):
        if not at_parse_time(ctx, node) or _type_checking(ctx, node) or ctx.main_block(node):
            continue
        for name in _modules(node):
            if name in heavy or name.partition(".")[0] in heavy:
                yield ctx.finding(
                    node, f"heavy import of `{name}` at top level; import it in the task that needs it"
                )
                break
    for call in ctx.calls():
        what = _work(ctx, call)
        if what and at_parse_time(ctx, call) and not ctx.main_block(call):
            yield ctx.finding(call, f"{what} while the file is parsed; do it in the task")


def _read_at_import(ctx: Context) -> Iterator[Finding]:
    name = ctx.source.path.rpartition("/")[2]
    if name.startswith("test_") or name in {"conftest.py", "setup.py"}:
        return
    for call in ctx.calls():
        what = _stored(ctx.qualified(call.func))
        if what and at_parse_time(ctx, call) and not ctx.main_block(call):
            yield ctx.finding(call, f"{what} while the module is imported; do it in the task")


def _modules(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0:
        return [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


def _type_checking(ctx: Context, node: ast.AST) -> bool:
    current = ctx.source.parents.get(node)
    while current is not None:
        if isinstance(current, ast.If) and "TYPE_CHECKING" in ast.unparse(current.test):
            return True
        current = ctx.source.parents.get(current)
    return False


def _stored(name: str) -> str:
    """What a call reads of Airflow's store: a variable or a connection."""
    if re.search(r"(^|\.)Variable\.get$", name) and (is_airflow(name) or name.startswith("Variable.")):
        return "`Variable.get`"
    if re.search(r"(^|\.)(BaseHook|\w+Hook)\.get_(connection|hook|connections)$", name) or name.endswith(
        ("Connection.get", "Connection.get_connection_from_secrets")
    ):
        return "a connection is read"
    return ""


def _spark_session(call: ast.Call) -> str:
    made = isinstance(call.func, ast.Attribute) and call.func.attr == "getOrCreate"
    return "a Spark session is made" if made and "SparkSession" in ast.unparse(call.func) else ""


def _work(ctx: Context, call: ast.Call) -> str:
    name = ctx.qualified(call.func)
    if not name:
        return _spark_session(call)
    stored = _stored(name)
    if stored:
        return stored
    if is_hook_class(name) and (is_airflow(name) or "." not in name):
        return f"the hook `{name.rpartition('.')[2]}` is made"
    if name.endswith("SparkSession.builder.getOrCreate"):
        return "a Spark session is made"
    return f"the network call `{name}`" if is_http_call(name) or name in _NETWORK else ""


def at_parse_time(ctx: Context, node: ast.AST) -> bool:
    """Whether the code runs when the file is parsed: outside functions, in `@dag` and `@task_group` bodies,
    or in a plain function that such code calls."""
    around: ast.AST | None = ctx.function_around(node)
    while around is not None:
        if isinstance(around, ast.Lambda):
            return False
        if _in_decorator(ctx, node, around):
            around = ctx.function_around(around)
            continue
        called = around in ctx.model.called and around not in ctx.task_functions
        if not called or around in ctx.callback_functions or _only_guessed(ctx, around):
            return False
        node, around = around, ctx.function_around(around)
    return True


def _in_decorator(ctx: Context, node: ast.AST, function: ast.AST) -> bool:
    """Whether the node belongs to the head of the function: decorators and defaults run outside it."""
    if not isinstance(function, FunctionNode):
        return False
    current: ast.AST | None = node
    while current is not None and ctx.source.parents.get(current) is not function:
        current = ctx.source.parents.get(current)
    return current is not None and current not in function.body


def _only_guessed(ctx: Context, function: ast.AST) -> bool:
    return function in ctx.model.guessed


@rule("L-28", "no-database", Severity.ERROR)
def no_database(ctx: Context) -> Iterator[Finding]:
    """Tasks do not open Airflow's database: no ORM session, no `airflow db` or `airflow users` command.

    In Airflow 3 a task has no access to it: create_session raises a RuntimeError. Use the REST API; run
    clean-up as a job of the platform.

    Bad:
        from airflow.sdk import DAG
        from airflow.providers.standard.operators.bash import BashOperator
        with DAG("clean", schedule=None):
            BashOperator(task_id="clean_database", bash_command="airflow db clean --yes")
    Good:
        from airflow.sdk import DAG
        from airflow.providers.standard.operators.bash import BashOperator
        with DAG("clean", schedule=None):
            BashOperator(task_id="clean_files", bash_command="find /data/tmp -mtime +7 -delete")
    """
    if not ctx.is_dag_file:
        return
    yield from _sessions(ctx)
    for task in ctx.model.tasks:
        arg = task.kwargs.get("bash_command")
        for inner in ast.walk(arg.node) if arg is not None else ():
            text = inner.value if isinstance(inner, ast.Constant) else None
            match = _CLI.search(text) if isinstance(text, str) else None
            if match:
                yield ctx.finding(
                    inner, f"`airflow {match[1]}` needs Airflow's database; run it as a job outside"
                )


_CLI = re.compile(r"(?:^|[;&|\s/])airflow\s+(db|users|resetdb|initdb|upgradedb)\b")
_ORM_CALL = re.compile(
    r"airflow\.models\.(?:\w+\.)*(DagRun|TaskInstance|DagModel)\.(find|get_dagmodel|query)$"
)
_ORM_IMPORTS = {
    "airflow.utils.session": {"create_session", "provide_session"},
    "airflow.utils.db": {"create_session", "provide_session"},
    "airflow.settings": {"Session"},
}


def _sessions(ctx: Context) -> Iterator[Finding]:
    message = "a session on Airflow's database raises an error in tasks; use the REST API"
    for node in ctx.source.of_type(ast.ImportFrom):
        names = {alias.name for alias in node.names} if isinstance(node, ast.ImportFrom) else set()
        if names & _ORM_IMPORTS.get(getattr(node, "module", None) or "", set()):
            yield ctx.finding(node, message)
    for call in ctx.calls():
        name = ctx.qualified(call.func)
        if name in {"airflow.settings.Session", "settings.Session"}:
            yield ctx.finding(call, message)
        elif _ORM_CALL.match(name):
            yield ctx.finding(call, f"`{name}` reads Airflow's database; use the REST API")


@rule("L-36", "importable", Severity.ERROR)
def importable(ctx: Context) -> Iterator[Finding]:
    """A DAG file can be imported: Python 3, valid ids and cron, no cycles; the integrity test always runs.

    Airflow loads a DAG file as a module without a package, so `from . import x` fails. Cycles between tasks
    fail at parse; so do a dag_id or task_id with a blank or of more than 250 characters, and a schedule that
    is no cron expression; ids and schedules are judged where the text stands in the file. Over the
    repository: no configuration of pytest or of CI leaves out the integrity test of the DAGs. That a file
    parses in less than a second, and that its imports exist, only a DagBag test in the image can tell.

    Bad:
        from airflow.sdk import DAG
        from airflow.providers.standard.operators.empty import EmptyOperator
        with DAG("sales", schedule=None):
            extract = EmptyOperator(task_id="extract")
            load = EmptyOperator(task_id="load")
            extract >> load >> extract
    Good:
        from airflow.sdk import DAG
        from airflow.providers.standard.operators.empty import EmptyOperator
        with DAG("sales", schedule=None):
            extract = EmptyOperator(task_id="extract")
            load = EmptyOperator(task_id="load")
            extract >> load
    """
    problem = ctx.source.problem
    if problem is not None:
        place = ast.Pass(lineno=problem.line, col_offset=problem.col - 1, end_lineno=problem.line)
        yield ctx.finding(place, f"not valid Python 3: {problem.message}")
        return
    if any(not dag.conditional for dag in ctx.model.dags):
        for node in ctx.source.of_type(ast.ImportFrom):
            relative = isinstance(node, ast.ImportFrom) and node.level > 0
            if relative and at_parse_time(ctx, node) and not _type_checking(ctx, node):
                yield ctx.finding(node, "relative import: Airflow loads DAG files without a package")
    yield from bad_literals(ctx)
    for dag in ctx.model.dags:
        graph = Graph(dag)
        cycle = graph.cycle()
        if cycle and not any(task.conditional or task.many for task in cycle):
            names = " >> ".join(task.name for task in [*cycle, cycle[0]])
            edge = next((w for a, b, w in dag.edges if a is cycle[-1] and b is cycle[0]), dag.node)
            yield ctx.finding(edge, f"DAG {dag.name} has a cycle: {names}")
