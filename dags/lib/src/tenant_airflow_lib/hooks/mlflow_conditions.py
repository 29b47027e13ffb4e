"""What sensors wait for in MLflow, as questions that a task and a trigger can both ask."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from airflow.sdk.exceptions import AirflowFailException

from tenant_airflow_lib.hooks import mlflow as api
from tenant_airflow_lib.hooks.rest import Call, RequestRefused

COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
    "==": operator.eq,
}
_LOWER_IS_BETTER = frozenset({"<", "<="})


def version_in_stage(model_name: str, stage: str, version: str | None = None) -> Call[str | None]:
    """`version`, or else the model's highest one, when it has the alias or the legacy stage `stage`.

    None when it has not, or does not exist yet. An unknown model is refused: AirflowFailException.
    """
    aliases = yield from api.aliases_of(model_name)
    if version is None:
        found = yield from api.newest_model_version(model_name)
    else:
        found = yield from _version(model_name, version)
    if found is None:
        return None
    number = str(found["version"])
    if found.get("current_stage") == stage or number in {aliases.get(stage), aliases.get(stage.lower())}:
        return number
    return None


def _version(model_name: str, version: str) -> Call[dict[str, Any] | None]:
    try:
        return (yield from api.get_model_version(model_name, version))
    except RequestRefused as error:
        if error.not_found:
            return None
        raise


def ended_status(run_id: str, fail_on: frozenset[str]) -> Call[str | None]:
    """The final status of a run, None while it goes on. AirflowFailException for one in `fail_on`."""
    status = str((yield from api.get_run(run_id))["info"]["status"])
    if status in fail_on:
        raise AirflowFailException(f"MLflow run {run_id} ended as {status}")
    return status if status in api.ENDED else None


def good_enough(
    experiment_name: str, metric: str, threshold: float, comparison: str, run_id: str | None = None
) -> Call[dict[str, Any] | None]:
    """{run_id, metric, value} of the experiment's best finished run when its metric meets the threshold.

    Best is the lowest for < and <=, else the highest. With `run_id`, only that run of the experiment counts;
    an unknown one is refused: AirflowFailException. None without experiment, runs or metric.
    """
    experiment = yield from api.find_experiment(experiment_name)
    if experiment is None:
        return None
    if run_id:
        best = yield from _finished(experiment, run_id, metric)
    else:
        best = yield from api.best_run(experiment, metric, highest=comparison not in _LOWER_IS_BETTER)
    if best is None or not COMPARISONS[comparison](best[1], threshold):
        return None
    return {"run_id": best[0], "metric": metric, "value": best[1]}


def _finished(experiment: str, run_id: str, metric: str) -> Call[tuple[str, float] | None]:
    run = yield from api.get_run(run_id)
    if run["info"]["status"] != "FINISHED" or str(run["info"]["experiment_id"]) != experiment:
        return None
    values = {item["key"]: float(item["value"]) for item in run["data"].get("metrics") or []}
    return (run_id, values[metric]) if metric in values else None
