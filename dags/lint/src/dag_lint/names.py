"""What dotted names mean: DAG classes, operators, TaskFlow decorators, edges."""

from __future__ import annotations

import re

DAG_CLASSES = {
    "DAG",
    "airflow.DAG",
    "airflow.models.DAG",
    "airflow.models.dag.DAG",
    "airflow.sdk.DAG",
    "airflow.sdk.definitions.dag.DAG",
}
DAG_DECORATORS = {
    "airflow.decorators.dag",
    "airflow.sdk.dag",
    "airflow.models.dag.dag",
    "airflow.sdk.definitions.dag.dag",
}
TASK_DECORATORS = {"airflow.decorators.task", "airflow.sdk.task", "airflow.sdk.definitions.decorators.task"}
GROUP_DECORATORS = {
    "airflow.decorators.task_group",
    "airflow.decorators.task_group.task_group",
    "airflow.sdk.task_group",
}
SETUP_DECORATORS = {"airflow.decorators.setup", "airflow.sdk.setup"}
TEARDOWN_DECORATORS = {"airflow.decorators.teardown", "airflow.sdk.teardown"}
GROUP_CLASSES = {
    "TaskGroup",
    "airflow.sdk.TaskGroup",
    "airflow.utils.task_group.TaskGroup",
    "airflow.models.taskgroup.TaskGroup",
    "airflow.sdk.definitions.taskgroup.TaskGroup",
}
LABELS = {"Label", "EdgeModifier"}
CHAINS = {"chain", "chain_linear", "cross_downstream"}
NO_TASKS = {
    "TaskGroup", "TaskInstance", "TaskInstanceKey", "ExternalTaskSensorLink", "TaskMap", "XCom", "XComArg",
    "Log", "PlainXComArg", "TaskReschedule", "TaskFail", "SlaMiss", "DAG",
}  # fmt: skip
_CAMEL = re.compile(r"_*[A-Z][A-Za-z0-9_]*$")


def last(name: str) -> str:
    """The last part of a dotted name."""
    return name.rpartition(".")[2]


def is_airflow(name: str) -> bool:
    """Whether the name is in Airflow or one of its providers."""
    return name == "airflow" or name.startswith("airflow.")


def is_dag_class(name: str) -> bool:
    """Whether a call of the name makes a DAG, be it by a wrapper of the same name."""
    return name in DAG_CLASSES or last(name) == "DAG"


def is_operator_class(name: str) -> bool:
    """Whether the name alone says that it is an operator or sensor."""
    short = last(name)
    return bool(_CAMEL.match(short)) and short.endswith(
        ("Operator", "Sensor", "SensorAsync", "OperatorAsync")
    )


def may_be_operator(name: str, *, has_task_id: bool) -> bool:
    """Whether a call of the name makes a task: by its name, or a class that is given a `task_id`."""
    short = last(name)
    if short in NO_TASKS or (short in {"BaseOperator", "BaseSensorOperator"} and not has_task_id):
        return False
    return has_task_id and bool(_CAMEL.match(short)) and not short.isupper()


def is_group_class(name: str) -> bool:
    """Whether a call of the name makes a task group (cosmos' `DbtTaskGroup` too)."""
    return name in GROUP_CLASSES or last(name).endswith("TaskGroup")
