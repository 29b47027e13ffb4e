"""From a task's definition to Airflow's task, in the DAG that is being written."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from tenant_airflow_lib.factory import model
from tenant_airflow_lib.factory.operators import Resolved
from tenant_airflow_lib.factory.problems import did_you_mean

DEFAULTS: dict[str, Any] = {
    "retries": 2,
    "retry_delay": timedelta(minutes=5),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=30),
    "execution_timeout": timedelta(hours=1),
}


def default_args(spec: model.Dag) -> dict[str, Any]:
    """What every task of the DAG has unless it says otherwise."""
    owner = {"owner": spec.owner} if spec.owner else {}
    return {**DEFAULTS, **owner, **settings(spec.task_defaults)}


def settings(given: model.TaskSettings) -> dict[str, Any]:
    """What was set, and nothing that was left out."""
    return {
        name: value for name in model.TaskSettings.model_fields if (value := getattr(given, name)) is not None
    }


def make(item: Resolved, made: Mapping[str, Any]) -> Any:
    """Create a task; returns the reference to its result. `made`: task id -> result, of the tasks before."""
    from airflow.sdk import Asset
    from airflow.sdk import task as decorators

    task = item.task
    common = {"task_id": task.id, **settings(task)}
    if task.doc:
        common["doc_md"] = task.doc
    if task.outlets:
        common["outlets"] = [Asset(uri) for uri in task.outlets]
    fixed = {**task.arguments, **{name: made[source] for name, source in task.inputs.items()}}
    expanded = {name: made[value] if isinstance(value, str) else value for name, value in task.expand.items()}
    if item.operator is not None:
        if expanded:
            return item.operator.partial(**common, **fixed).expand(**expanded).output
        return item.operator(**common, **fixed).output
    if item.decorator == "python":  # a dict is one XCom, whatever the function's annotation says
        common["multiple_outputs"] = False
    decorated = getattr(decorators, item.decorator)(**common)(item.function)
    if expanded:
        return (decorated.partial(**fixed) if fixed else decorated).expand(**expanded)
    return decorated(**fixed)


def refusal(item: Resolved, spec: model.Dag) -> str | None:
    """Why the operator does not take its arguments; None when it does, or when the task runs a function.

    The task is made in a DAG of its own, so nothing else that is wrong with its DAG hides the answer.
    """
    if item.operator is None:
        return None
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG

    sources = sorted({*item.task.inputs.values(), *_texts(item.task.expand)})
    # The trigger rule and the name are checked elsewhere; a task may also name itself as a source.
    alone = replace(item, task=item.task.model_copy(update={"id": "trial", "trigger_rule": None}))
    dag = DAG("trial", schedule=None, default_args=default_args(spec), auto_register=False)
    with warnings.catch_warnings(), dag:
        # A refused task with `expand` is dropped half made, and its destructor says so.
        warnings.filterwarnings("ignore", message="Task 'trial' was never mapped")
        made = {name: EmptyOperator(task_id=f"source_{n}").output for n, name in enumerate(sources)}
        try:
            make(alone, made)
        except Exception as exc:  # noqa: BLE001 - an operator may refuse by whatever exception
            # Airflow names the task; "(task_id: trial)" would be a name that nobody wrote.
            text = str(exc).replace("(task_id: trial)", f"(task_id: {item.task.id})")
            return f"{text}{_guesses(item)}"
    return None


def _texts(values: Mapping[str, Any]) -> list[str]:
    return [value for value in values.values() if isinstance(value, str)]


def _guesses(item: Resolved) -> str:
    """What unknown arguments of a refused operator are probably meant to be."""
    known = {
        name
        for kind in inspect.getmro(item.operator or object)
        if "__init__" in vars(kind)
        for name in inspect.signature(vars(kind)["__init__"]).parameters
    }
    task = item.task
    given = [*task.arguments, *task.inputs, *task.expand]
    return "".join(
        f"; {name!r} is no argument of it{did_you_mean(name, known)}" for name in given if name not in known
    )
