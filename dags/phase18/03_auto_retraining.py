"""
# Retraining that starts, decides and takes back by itself

A monitor reports drift. A challenger is trained on what really happened, has to beat the champion, serves
beside it without effect, then a tenth of the customers, and at last everybody. Or it goes back.

`Train - Validate - Register - Stage - Canary - Production`

**What it shows**

- The trigger is data: the DAG runs when the asset `model_drift` gets an event. The event's `extra` has
  the score.
- Two kinds of drift: of the inputs (PSI) and of the model (accuracy on the ground truth that came back).
  Both leave as metrics (`model.drift_psi`, `model.accuracy`), and so does the challenger's `model.bias`.
- Champion and challenger as aliases of the registry. Only a challenger that is better by a margin goes
  on, and one that is worse for a group of customers raises an alert instead.
- Shadow (a share of 0) and canary (10 percent) before production, and a rollback that restores champion
  and traffic.
- Alerts are messages to the Slack webhook `slack_webhook`, sent by a task: what cannot be sent is tried
  again, and makes the run fail at last. Nobody finds a warning in the log of a green run.

**When to use it**

Models whose world moves, whose truth comes back within days, and whose mistakes are small enough for a
canary.

**When not**

Decisions about people that need a person: put an `ApprovalOperator` before `promote_challenger`.

**What to change**

`_registry` and `_serving`: `model_ports` has MLflow, and SageMaker, Vertex AI and KServe behind the same
methods. They move traffic only: deploy the challenger before `stage_shadow` there. `collect_ground_truth`:
your labels. Try it with params: `{"psi": 0.3, "true_boundary": 0.65}` promotes, `{"psi": 0.3, "noise": 0.5}`
keeps the champion, `{"psi": 0.3, "true_boundary": 0.65, "canary_errors": 50}` rolls back.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pendulum
from airflow.sdk import Asset, Param, dag, get_current_context, task
from airflow.sdk.observability import stats

from airflow_usecases import retraining
from airflow_usecases.retraining import CHALLENGER, CHAMPION, FileRegistry, FileServing, Limits
from tenant_airflow_lib.notifiers import SlackMessageNotifier

if TYPE_CHECKING:
    from airflow_usecases.retraining import Comparison, Registry, Serving

log = logging.getLogger(__name__)

DRIFT = Asset(name="model_drift", uri="x-drift://churn/score")
MODEL = "churn"
LIMITS = Limits()
CANARY_SHARE = 10
CANARY_REQUESTS = 1000
ALERT_RETRIES: dict[str, Any] = {
    "retries": 3,
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=10),
}
FOLDER = "{{ var.value.platform_retraining_folder }}"  # an argument: rendered when the task runs


def _registry(folder: str) -> Registry:
    return FileRegistry(Path(folder) / "registry.json")


def _serving(folder: str) -> Serving:
    return FileServing(Path(folder) / "serving.json")


def _champion(folder: str) -> tuple[str, float, float]:
    """Version, boundary and accuracy at training; the first run registers a model to start from."""
    registry = _registry(folder)
    version = registry.version_of(MODEL, CHAMPION)
    if version is None:
        version = registry.register(MODEL, {"boundary": 0.5, "accuracy": 1.0}, run="initial")
        registry.set_alias(MODEL, CHAMPION, version)
        _serving(folder).split_traffic(MODEL, {version: 100})
    parameters = registry.parameters_of(MODEL, version)
    return version, parameters["boundary"], parameters["accuracy"]


def _alert(text: str) -> None:
    """Tell people. Raises what the Slack provider raises: the task is tried again."""
    SlackMessageNotifier(text=text).notify(get_current_context())


@task
def collect_ground_truth(folder: str) -> str:
    """Write the predictions whose truth is known by now to a file; every other one is kept for validation."""
    params = get_current_context()["params"]
    examples = retraining.ground_truth(2000, params["true_boundary"], params["noise"], params["disadvantage"])
    return retraining.save_examples(Path(folder) / "ground_truth.json", examples)


@task.short_circuit
def detect_drift(path: str, folder: str) -> str | None:
    """The kind of drift; without one everything after this is skipped."""
    _, boundary, baseline = _champion(folder)
    current = retraining.accuracy(boundary, retraining.load_examples(path))
    score = retraining.drift_score(get_current_context())
    for name, value in {"accuracy": current, "accuracy_baseline": baseline, "drift_psi": score}.items():
        stats.gauge(f"model.{name}", value, tags={"model": MODEL})
    kind = retraining.drift_kind(score, current, baseline, LIMITS)
    log.info("drift: %s; the champion's accuracy is %.2f, it was %.2f", kind, current, baseline)
    return kind


@task
def train_challenger(path: str) -> float:
    """Train on every other example."""
    return retraining.train(retraining.load_examples(path)[::2])


@task(multiple_outputs=False)
def validate_challenger(boundary: float, path: str, folder: str) -> Comparison:
    """Champion against challenger, on the examples that the training did not see."""
    _, champion, _ = _champion(folder)
    comparison = retraining.compare(champion, boundary, retraining.load_examples(path)[1::2], LIMITS)
    stats.gauge("model.bias", comparison["bias"], tags={"model": MODEL})
    stats.gauge("model.bias_limit", LIMITS.bias, tags={"model": MODEL})
    return comparison


@task.branch
def choose_model(comparison: Comparison) -> str:
    """Where the verdict leads to."""
    return {"better": "register_challenger", "worse": "keep_champion", "biased": "alert_bias"}[
        comparison["verdict"]
    ]


@task
def keep_champion(comparison: Comparison, folder: str) -> str:
    """The champion stays; nothing was registered."""
    log.info("kept: %.3f is no improvement on %.3f", comparison["challenger"], comparison["champion"])
    return _champion(folder)[0]


@task(**ALERT_RETRIES)
def alert_bias(comparison: Comparison) -> float:
    """Tell people that one group would be served worse, and that the champion stays."""
    _alert(
        f"{MODEL}: the challenger's accuracy differs by {comparison['bias']:.2f} between groups "
        f"(limit {LIMITS.bias:.2f}); the champion stays"
    )
    return comparison["bias"]


@task
def register_challenger(boundary: float, comparison: Comparison, folder: str) -> str:
    """Register the version and point the alias `challenger` to it; a retry registers nothing new."""
    context = get_current_context()
    registry = _registry(folder)
    parameters = {"boundary": boundary, "accuracy": comparison["challenger"]}
    version = registry.register(MODEL, parameters, run=f"{context['dag'].dag_id}/{context['run_id']}")
    registry.set_alias(MODEL, CHALLENGER, version)
    return version


@task
def stage_shadow(version: str, folder: str) -> str:
    """Let the challenger answer every request without anybody seeing the answer."""
    champion, _, _ = _champion(folder)
    _serving(folder).split_traffic(MODEL, {champion: 100, version: 0})
    return version


@task(multiple_outputs=False)
def run_canary(version: str, folder: str) -> dict[str, int]:
    """Send the challenger a tenth of the requests and count its errors."""
    champion, _, _ = _champion(folder)
    _serving(folder).split_traffic(MODEL, {champion: 100 - CANARY_SHARE, version: CANARY_SHARE})
    return {"requests": CANARY_REQUESTS, "errors": get_current_context()["params"]["canary_errors"]}


@task.branch
def judge_canary(canary: dict[str, int]) -> str:
    """Promote or roll back."""
    healthy = retraining.canary_healthy(canary["requests"], canary["errors"], LIMITS)
    return "promote_challenger" if healthy else "roll_back"


@task
def promote_challenger(version: str, folder: str) -> str:
    """The challenger becomes the champion and gets all requests."""
    registry = _registry(folder)
    _serving(folder).split_traffic(MODEL, {version: 100})
    registry.set_alias(MODEL, CHAMPION, version)
    registry.delete_alias(MODEL, CHALLENGER)
    return version


@task
def roll_back(folder: str) -> str:
    """All requests to the champion again, no challenger."""
    champion, _, _ = _champion(folder)
    _serving(folder).split_traffic(MODEL, {champion: 100})
    _registry(folder).delete_alias(MODEL, CHALLENGER)
    return champion


@task(multiple_outputs=False, **ALERT_RETRIES)
def alert_rollback(canary: dict[str, int], champion: str) -> dict[str, Any]:
    """Tell people why the challenger was taken back, and who serves now."""
    _alert(
        f"{MODEL}: rolled back, {canary['errors']} of {canary['requests']} canary requests failed; "
        f"version {champion} serves again"
    )
    return {"model": MODEL, "champion": champion, "error_rate": canary["errors"] / canary["requests"]}


@dag(
    dag_id="phase18_03_auto_retraining",
    description="Drift starts a training; the challenger is promoted, refused, or rolled back",
    doc_md=__doc__,
    schedule=[DRIFT],
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=1),
    default_args={
        "owner": "platform",
        "retries": 2,
        "retry_delay": timedelta(minutes=1),
        "execution_timeout": timedelta(minutes=10),
    },
    params={
        "psi": Param(0.0, type="number", minimum=0, description="Drift of the inputs, for a run by hand"),
        "true_boundary": Param(0.5, type="number", minimum=0, maximum=1, description="What is true by now"),
        "noise": Param(0.0, type="number", minimum=0, maximum=0.5, description="Share of wrong labels"),
        "disadvantage": Param(
            0.0, type="number", minimum=0, maximum=0.5, description="Share of wrong labels in group b"
        ),
        "canary_errors": Param(
            0, type="integer", minimum=0, maximum=CANARY_REQUESTS, description="Errors of the canary"
        ),
    },
    tags=["phase18", "retraining"],
)
def auto_retraining() -> None:
    """Wire the tasks; runs at parse time."""
    path = collect_ground_truth(FOLDER)
    boundary = train_challenger(path)
    detect_drift(path, FOLDER) >> boundary
    comparison = validate_challenger(boundary, path, FOLDER)
    version = register_challenger(boundary, comparison, FOLDER)
    choose_model(comparison) >> [version, keep_champion(comparison, FOLDER), alert_bias(comparison)]
    canary = run_canary(stage_shadow(version, FOLDER), FOLDER)
    restored = roll_back(FOLDER)
    judge_canary(canary) >> [promote_challenger(version, FOLDER), restored]
    alert_rollback(canary, restored)


auto_retraining()
