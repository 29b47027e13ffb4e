"""
# The whole way of a model: from a file to production

Every night a churn model is trained on the customers' data, tracked, judged, and goes to production, to
staging, or back to training.

**What it shows**

- `DataQualitySensor` waits for the file without holding a worker, and fails the run when its content is bad.
- `MLflowLogMetricsOperator` logs to MLflow, in one run also after a retry; `ModelPerformanceSensor` waits
  until the tracking server shows the accuracy of *this* run (`run_id`): without it, an older and better run
  would end the wait.
- A branch into a group: `deployment.deploy_production` from .95, `deployment.deploy_staging` from the
  threshold, else `deployment.trigger_retraining`, a pipeline in Kubeflow.
- `MLflowModelTransitionOperator` moves the alias `production` or `staging`; nothing is overwritten, and the
  way back is the same operator with the version before.
- A deadline of 4 hours after the run was queued (at night or by hand), retries that wait 5, 10, 20, 30
  minutes, pools for CPU and GPU, one run at a time.

**When to use it**

A model that is rebuilt on a schedule and may go live without a person, within limits.

**When not**

- A person decides: put an approval before `deploy_production`.
- The training is the only step: see `ml_train_model`.

**What to change**

The Variable `ml_pipeline_config` (model_name, accuracy_threshold, data_source, n_estimators, max_depth);
`train`, which stands for your training. `data_path` and `accuracy` are Params, for trying it out.
"""

from __future__ import annotations

from datetime import timedelta
from html import escape
from typing import Any

import pendulum
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import (
    DAG,
    AsyncCallback,
    DeadlineAlert,
    DeadlineReference,
    Param,
    Variable,
    get_current_context,
    task,
    task_group,
)

from airflow_usecases import ml_decisions
from tenant_airflow_lib.hooks.mlflow import MLflowHook, register_once
from tenant_airflow_lib.notifiers import MailFailureNotifier
from tenant_airflow_lib.operators.kubeflow import KubeflowPipelineOperator
from tenant_airflow_lib.operators.mlflow import MLflowLogMetricsOperator, MLflowModelTransitionOperator
from tenant_airflow_lib.sensors.data_quality import DataQualitySensor
from tenant_airflow_lib.sensors.mlflow import ModelPerformanceSensor

MAIL = "ml-platform@example.com"
EXPERIMENT = "enterprise-churn"
DEPLOYMENTS = ("deploy_production", "deploy_staging", "trigger_retraining")
RETRAINING = "churn-retraining"  # the pipeline in Kubeflow
MODEL_NAME = "{{ ti.xcom_pull(task_ids='extraction.extract')['config']['model_name'] }}"
ACCURACY = "{{ ti.xcom_pull(task_ids='training.train')['accuracy'] }}"
VERSION = "{{ ti.xcom_pull(task_ids='training.register_model') }}"


@task(pool="cpu_intensive", multiple_outputs=False)
def extract() -> dict[str, Any]:
    """The configuration of this run, read once, and what there is to train on."""
    config = ml_decisions.complete_config(
        Variable.get("ml_pipeline_config", default=None, deserialize_json=True)
    )
    measured = get_current_context()["ti"].xcom_pull(task_ids="data_quality_check")
    return {"config": config, "rows_extracted": measured["rows"], "source": config["data_source"]}


@task(pool="cpu_intensive", multiple_outputs=False)
def preprocess(extracted: dict[str, Any]) -> dict[str, int]:
    """Features of every customer."""
    return {"rows_processed": extracted["rows_extracted"], "features": 50}


# dag-lint: ignore[L-37] reason: the nightly training goes before experiments on the same GPUs
@task(pool="gpu_pool", priority_weight=10, multiple_outputs=False)
def train(extracted: dict[str, Any], prepared: dict[str, int]) -> dict[str, Any]:
    """Train; `path` is where the model's files lie."""
    context = get_current_context()
    config = extracted["config"]
    return {
        "accuracy": context["params"]["accuracy"],
        "path": f"{config['data_source'].rstrip('/')}/models/{context['run_id']}",
        "params": {"n_estimators": config["n_estimators"], "max_depth": config["max_depth"]},
        "rows": prepared["rows_processed"],
    }


@task
def register_model(extracted: dict[str, Any], trained: dict[str, Any], tracked_run: str) -> str:
    """The version that holds this run's model."""
    name = extracted["config"]["model_name"]
    return MLflowHook().run(register_once(name, trained["path"], tracked_run))


@task.branch
def evaluate(extracted: dict[str, Any], trained: dict[str, Any]) -> str:
    """Where the model goes."""
    release = ml_decisions.release_for(trained["accuracy"], extracted["config"]["accuracy_threshold"])
    return f"deployment.{release}"


@task(trigger_rule="none_failed_min_one_success", multiple_outputs=False)
def send_notification() -> dict[str, Any]:
    """Mail what was done; the branch that ran is the one that left a result."""
    from airflow.providers.smtp.hooks.smtp import SmtpHook

    ti = get_current_context()["ti"]
    results = {name: ti.xcom_pull(task_ids=f"deployment.{name}") for name in DEPLOYMENTS}
    done, result = next((name, result) for name, result in results.items() if result is not None)
    with SmtpHook(smtp_conn_id="smtp_default") as smtp:
        smtp.send_email_smtp(
            to=MAIL, subject=f"{ti.dag_id}: {done}", html_content=f"<p>{escape(str(result))}</p>"
        )
    return {"action": done, "result": result}


@task_group(group_id="extraction")
def run_extraction() -> tuple[Any, Any]:
    """Read, then prepare."""
    extracted = extract()
    return extracted, preprocess(extracted)


@task_group(group_id="training")
def run_training(extracted: Any, prepared: Any) -> Any:
    """Train, track, register, decide."""
    trained = train(extracted, prepared)
    logged = MLflowLogMetricsOperator(
        task_id="log_metrics",
        experiment_name=EXPERIMENT,
        run_name="training-{{ run_id }}",
        metrics={"accuracy": ACCURACY},
    )
    shown = ModelPerformanceSensor(
        task_id="wait_for_metrics",
        experiment_name=EXPERIMENT,
        metric_name="accuracy",
        threshold=ACCURACY,
        run_id=logged.output,
        mode="reschedule",
        poke_interval=60,
        timeout=600,
    )
    decided = evaluate(extracted, trained)
    trained >> logged >> shown >> register_model(extracted, trained, logged.output) >> decided
    return decided


@task_group(group_id="deployment")
def run_deployment() -> None:
    """The three ways out."""
    for stage in ("production", "staging"):
        MLflowModelTransitionOperator(
            task_id=f"deploy_{stage}", model_name=MODEL_NAME, version=VERSION, stage=stage
        )
    KubeflowPipelineOperator(
        task_id="trigger_retraining",
        pipeline_name=RETRAINING,
        experiment_name=EXPERIMENT,
        arguments={"model_name": MODEL_NAME, "accuracy": ACCURACY},
        wait=False,
    )


with DAG(
    dag_id="enterprise_ml_pipeline",
    description="From a checked file over MLflow to production, staging or a new training",
    doc_md=__doc__,
    schedule="0 2 * * *",
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=12),
    deadline=DeadlineAlert(
        name="enterprise_ml_pipeline",
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(hours=4),
        callback=AsyncCallback(
            MailFailureNotifier, {"to": MAIL, "headline": "enterprise_ml_pipeline is late (4 hours)"}
        ),
    ),
    default_args={
        "owner": "ml-platform-team",
        "retries": 3,
        "retry_delay": timedelta(minutes=5),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=30),
        "execution_timeout": timedelta(hours=2),
        "on_failure_callback": [MailFailureNotifier(to=MAIL)],
    },
    params={
        "data_path": Param(
            "/data/customers/latest.csv", type="string", minLength=1, description="The customers' file"
        ),
        "accuracy": Param(
            0.92, type="number", minimum=0, maximum=1, description="Accuracy that training reaches"
        ),
    },
    tags=["ml", "enterprise", "production"],
):
    checked = DataQualitySensor(
        task_id="data_quality_check",
        data_path="{{ params.data_path }}",
        min_rows=1000,
        max_null_percentage=0.05,
        required_columns=["customer_id", "tenure", "churn"],
        mode="reschedule",
        poke_interval=60,
        timeout=1800,
    )
    extracted_data, prepared_data = run_extraction()
    checked >> extracted_data
    (
        run_training(extracted_data, prepared_data)
        >> run_deployment()
        >> send_notification()
        >> EmptyOperator(task_id="end")
    )
