"""The keys of a definition file. The models check values; their JSON schema is what editors use.

Everything is optional in the models that a template, an environment or a default may supply; what must be
there in the end is checked after merging.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, StrictStr
from pydantic.json_schema import WithJsonSchema

FORMAT = 1
_PARTS = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_ID = r"^[A-Za-z0-9_.-]{1,250}$"
_WORD = r"^[A-Za-z][A-Za-z0-9_]*$"


def duration(value: Any) -> Any:
    """`1h30m`, `45s`, `2d` as timedelta. Raises ValueError for anything else."""
    if isinstance(value, timedelta):
        return value
    match = _PARTS.fullmatch(value) if isinstance(value, str) else None
    if match is None or not value:
        raise ValueError("not a duration such as 30s, 5m, 1h30m or 2d")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    try:
        return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError as exc:
        raise ValueError("too long a duration") from exc


def day(value: Any) -> Any:
    """A YAML date, or one as text (`2024-01-01`). Raises ValueError for anything else, also for a time."""
    if isinstance(value, str):
        return date.fromisoformat(value)
    if isinstance(value, datetime) or not isinstance(value, date):
        raise ValueError("not a date such as 2024-01-01")
    return value


Duration = Annotated[
    timedelta,
    BeforeValidator(duration),
    WithJsonSchema(
        {"type": "string", "pattern": r"^(\d+d)?(\d+h)?(\d+m)?(\d+s)?$", "examples": ["5m", "1h30m"]}
    ),
]
Day = Annotated[
    date, BeforeValidator(day), WithJsonSchema({"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"})
]
Positive = Annotated[StrictInt, Field(ge=1)]
Identifier = Annotated[StrictStr, Field(pattern=_ID)]
Word = Annotated[StrictStr, Field(pattern=_WORD)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Assets(_Strict):
    """Run when assets change: `any` of them, or once `all` of them have."""

    any_of: list[StrictStr] | None = Field(None, alias="any", min_length=1, description="URIs; one is enough")
    all_of: list[StrictStr] | None = Field(
        None, alias="all", min_length=1, description="URIs; each is needed"
    )


class TaskSettings(_Strict):
    """Settings of a task; as `task_defaults` those of every task of a DAG."""

    retries: Annotated[StrictInt, Field(ge=0, le=50)] | None = Field(
        None, description="Tries after the first"
    )
    retry_delay: Duration | None = Field(None, description="Pause before a retry; doubles with every one")
    max_retry_delay: Duration | None = Field(None, description="The longest pause before a retry")
    execution_timeout: Duration | None = Field(None, description="A try that takes longer fails")
    pool: Word | None = Field(None, description="Name of a pool that exists")
    pool_slots: Positive | None = Field(None, description="How many slots of the pool the task takes")
    priority_weight: Positive | None = Field(None, description="Order within a pool; more is earlier")
    trigger_rule: StrictStr | None = Field(None, description="Which states of the dependencies it waits for")


class Task(TaskSettings):
    """One task."""

    id: Identifier = Field(description="task_id, as verb_object")
    operator: StrictStr | None = Field(
        None,
        description="A registered name (python, branch, short_circuit, bash, empty, trigger_dag, ...) or an "
        "allow-listed path; python when there is a callable",
    )
    callable: StrictStr | None = Field(
        None, description="module.function of an allow-listed module, or a function of the DAG's `module`"
    )
    dependencies: list[StrictStr] = Field([], description="Ids of the tasks that must be done before")
    arguments: dict[StrictStr, Any] = Field(
        {}, description="Arguments; Airflow renders {{ }} in them at run time"
    )
    inputs: dict[StrictStr, StrictStr] = Field(
        {}, description="Argument -> id of the task whose result it gets; also a dependency"
    )
    expand: dict[StrictStr, StrictStr | list[Any]] = Field(
        {}, description="Argument -> task id or list: one instance of the task for each item"
    )
    outlets: list[StrictStr] = Field([], description="URIs of the assets that the task updates")
    doc: StrictStr | None = Field(None, description="Markdown, shown with the task")


class Param(BaseModel):
    """A param of the trigger form: a JSON schema with a default."""

    model_config = ConfigDict(extra="allow", frozen=True)
    default: Any = Field(None, description="The value of scheduled runs")
    description: StrictStr | None = Field(None, description="Shown beside the field of the form")
    type: StrictStr | list[StrictStr] = Field(
        description="JSON type: string, integer, number, boolean, array, ..."
    )


class DagFields(_Strict):
    """What a DAG, a template and an environment's overrides may set."""

    description: StrictStr | None = Field(None, description="One line, shown in the list of DAGs")
    doc: StrictStr | None = Field(None, description="Markdown, shown as the DAG's documentation")
    schedule: StrictStr | Assets | None = Field(
        None, description="@daily, a cron expression, {any: [uri]}, {all: [uri]}, or null: only by hand"
    )
    start_date: Day = Field(date(2024, 1, 1), description="Midnight of this day in `timezone`")
    timezone: StrictStr = Field("UTC", description="IANA name; cron expressions are read in it")
    catchup: StrictBool = Field(False, description="Run what was missed since start_date")
    max_active_runs: Positive = Field(1, description="Runs of the DAG at the same time")
    max_active_tasks: Positive = Field(16, description="Tasks of one run at the same time")
    dagrun_timeout: Duration = Field(timedelta(hours=2), description="A run that takes longer fails")
    owner: StrictStr | None = Field(None, description="Owner of the tasks: the team")
    tags: list[Annotated[StrictStr, Field(min_length=1, max_length=100)]] = Field(
        [], description="Shown with the DAG; joined with those of its templates"
    )
    params: dict[Word, Param] = Field({}, description="Params of a run, checked when it is triggered")
    module: StrictStr | None = Field(None, description="Module of the callables that are named without one")
    task_defaults: TaskSettings = Field(TaskSettings(), description="Settings of every task of the DAG")
    blocks: list[StrictStr] = Field([], description="Names of `blocks` whose tasks come before the DAG's own")
    tasks: list[Task] = Field([], description="What the DAG runs; over a template's, task by task by id")


class Template(DagFields):
    """A part of a DAG that others extend; makes no DAG itself."""

    extends: StrictStr | None = Field(None, description="A template that this one extends")


class Dag(Template):
    """One DAG, or one for each item of `for_each`."""

    dag_id: Identifier = Field(description="With for_each it must contain ${each...}")
    for_each: list[dict[Word, Any]] | None = Field(
        None, min_length=1, description="One DAG for each item; its entries are ${each.name}"
    )


class Environment(_Strict):
    """What differs in one environment."""

    vars: dict[Word, Any] = Field({}, description="Over the file's `vars`")
    overrides: DagFields = Field(DagFields(), description="Over every DAG of the file")
    dags: dict[StrictStr, DagFields] = Field({}, description="dag_id as written in the file -> over this DAG")


class DefinitionFile(_Strict):
    """DAG definitions for tenant_airflow_lib.factory."""

    format: Literal[1] = Field(description="Version of this format")
    version: StrictStr | None = Field(
        None, description="Version of these definitions; becomes a tag of every DAG of the file"
    )
    default_environment: Word | None = Field(None, description="Used when nobody chooses one")
    vars: dict[Word, Any] = Field({}, description="Values for ${vars.name}")
    environments: dict[Word, Environment] = Field({}, description="Name -> what differs there")
    templates: dict[Word, Template] = Field({}, description="Name -> a part that DAGs extend")
    blocks: dict[Word, list[Task]] = Field({}, description="Lists of tasks that several DAGs share")
    dags: list[Dag] = Field(min_length=1, description="The DAGs of this file")


TRIGGER_RULES = (
    "all_success", "all_failed", "all_done", "all_done_min_one_success", "all_done_setup_success",
    "one_success", "one_failed", "one_done", "none_failed", "none_failed_min_one_success", "none_skipped",
    "always", "all_skipped",
)  # fmt: skip
