"""From a checked definition to a DAG. A DAG is registered by nobody before it is complete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pendulum

from tenant_airflow_lib.factory import model
from tenant_airflow_lib.factory.check import Definition, param_schema, upstream
from tenant_airflow_lib.factory.make import default_args, make
from tenant_airflow_lib.factory.problems import error

if TYPE_CHECKING:
    from airflow.sdk import DAG


def build(
    definition: Definition, *, version: str | None = None, origin: str = "", doc: str | None = None
) -> DAG:
    """Make the DAG. Raises DefinitionError `wrong-arguments` or `cannot-build` when Airflow refuses it.

    `version` becomes the tag `config:<version>`; `origin` is named at the end of the DAG's documentation.
    """
    from airflow.sdk import DAG

    spec, node = definition.dag, definition.node
    start = pendulum.datetime(*spec.start_date.timetuple()[:3], tz=spec.timezone)
    try:
        dag = DAG(
            dag_id=spec.dag_id,
            description=spec.description,
            doc_md=_documentation(spec, origin, doc),
            schedule=_schedule(spec.schedule),
            start_date=start,
            catchup=spec.catchup,
            max_active_runs=spec.max_active_runs,
            max_active_tasks=spec.max_active_tasks,
            dagrun_timeout=spec.dagrun_timeout,
            default_args=default_args(spec),
            params={name: _param(param) for name, param in spec.params.items()},
            tags=sorted({*spec.tags, *([f"config:{version}"] if version else [])}),
            auto_register=False,
        )
        _add_tasks(dag, definition)
        dag.validate()  # type: ignore[no-untyped-call,unused-ignore]
    except _Refused as exc:
        number, cause = exc.args
        place = node.place(("tasks", number))
        message = f"task {spec.tasks[number].id!r}: {cause}"
        raise error("wrong-arguments", message, place, f"tasks[{number}]", spec.dag_id) from cause
    except Exception as exc:
        raise error("cannot-build", f"{type(exc).__name__}: {exc}", node.mark, "", spec.dag_id) from exc
    return dag


class _Refused(Exception):
    pass


def _documentation(spec: model.Dag, origin: str, doc: str | None) -> str | None:
    parts = [spec.doc or doc or spec.description or "", f"Defined in {origin}." if origin else ""]
    return "\n\n".join(part.strip() for part in parts if part) or None


def _schedule(schedule: str | model.Assets | None) -> Any:
    from airflow.sdk import Asset, AssetAll, AssetAny

    if isinstance(schedule, model.Assets):
        if schedule.any_of is not None:
            return AssetAny(*(Asset(uri) for uri in schedule.any_of))
        return AssetAll(*(Asset(uri) for uri in schedule.all_of or ()))
    return schedule


def _param(param: model.Param) -> Any:
    from airflow.sdk import Param

    default = {"default": param.default} if "default" in param.model_fields_set else {}
    return Param(description=param.description, **default, **param_schema(param))


def _add_tasks(dag: DAG, definition: Definition) -> None:
    order = {task.id: number for number, task in enumerate(definition.dag.tasks)}
    waiting = list(definition.tasks)
    made: dict[str, Any] = {}
    with dag:
        while waiting:  # the definition's order, except that inputs must exist first
            ready = next(item for item in waiting if set(upstream(item.task)) <= made.keys())
            waiting.remove(ready)
            try:
                made[ready.task.id] = make(ready, made)
            except Exception as exc:
                raise _Refused(order[ready.task.id], exc) from exc
        for task in definition.dag.tasks:
            for name in upstream(task):
                dag.get_task(name).set_downstream(dag.get_task(task.id))
