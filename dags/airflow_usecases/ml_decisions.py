"""What is done with a trained model, decided by its metrics. Pure functions: the DAGs only wire them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LEAST_QUALITY = 0.85
JUDGED = ("accuracy", "precision", "recall")

# (least accuracy, task), the best first
DEPLOYMENTS = ((0.95, "deploy_to_production"), (0.85, "deploy_to_staging"), (0.75, "retrain_with_more_data"))
OTHERWISE = "investigate_model"
HIGH_PERFORMANCE = 0.9
LOW_PERFORMANCE = 0.8
PRODUCTION = 0.95

DEFAULT_CONFIG: Mapping[str, Any] = {
    "model_name": "churn-classifier",
    "accuracy_threshold": 0.85,
    "data_source": "s3://data/customers/",
    "n_estimators": 100,
    "max_depth": 10,
}


def judge(metrics: Mapping[str, float], least: float = LEAST_QUALITY) -> dict[str, Any]:
    """{passed, failed, least}; `failed`: each of accuracy, precision, recall that is below `least`."""
    failed = [name for name in JUDGED if metrics[name] < least]
    return {"passed": not failed, "failed": failed, "least": least}


def version_of(model_uri: str) -> str:
    """The version in `models:/<name>/<version>`. ValueError for another form."""
    scheme, _, rest = model_uri.partition(":/")
    name, _, version = rest.rpartition("/")
    if scheme != "models" or not name or not version.isdigit():
        raise ValueError(f"no models:/<name>/<version>: {model_uri!r}")
    return version


def deployment_for(accuracy: float) -> str:
    """Production from .95, staging from .85, more data from .75, else a person: the task's id."""
    return next((task for least, task in DEPLOYMENTS if accuracy >= least), OTHERWISE)


def monitoring_for(accuracy: float) -> list[str]:
    """All tasks that apply: the metrics are always logged, very good and poor models get one more."""
    tasks = ["log_metrics"]
    if accuracy >= HIGH_PERFORMANCE:
        tasks.append("high_performance_path")
    if accuracy < LOW_PERFORMANCE:
        tasks.append("low_performance_alert")
    return tasks


def release_for(accuracy: float, threshold: float) -> str:
    """`deploy_production` from .95, `deploy_staging` from `threshold`, else `trigger_retraining`."""
    if accuracy >= PRODUCTION:
        return "deploy_production"
    return "deploy_staging" if accuracy >= threshold else "trigger_retraining"


def complete_config(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """The pipeline's configuration with defaults for what is not given.

    ValueError names unknown keys and a threshold that is no share: a typo must not fall back silently.
    """
    config = dict(DEFAULT_CONFIG) | dict(given or {})
    unknown = sorted(config.keys() - DEFAULT_CONFIG.keys())
    if unknown:
        raise ValueError(f"ml_pipeline_config: unknown {', '.join(unknown)}")
    if not 0 <= float(config["accuracy_threshold"]) <= 1:
        raise ValueError(f"ml_pipeline_config: accuracy_threshold {config['accuracy_threshold']} is no share")
    return config
