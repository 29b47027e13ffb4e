"""Operators, sensors, notifiers, checks and a DAG factory for teams on a tenant's Airflow."""

from __future__ import annotations

from typing import Any

_MLFLOW = "MLflow"
_KUBEFLOW = "Kubeflow Pipelines"
_GREAT_EXPECTATIONS = "Great Expectations"
_FILES = "CSV files"


def get_provider_info() -> dict[str, Any]:
    """What Airflow's providers manager shows of this package (entry point ``apache_airflow_provider``).

    No connection types: MLflow, Kubeflow and the pager are connections of type ``http``, which the HTTP
    provider has already.
    """
    return {
        "package-name": "tenant-airflow-lib",
        "name": "Tenant Airflow library",
        "description": "Operators, sensors, notifiers, checks and a DAG factory for tenants.",
        "versions": ["0.1.0"],
        "integrations": [
            _integration(_MLFLOW, "https://mlflow.org/"),
            _integration(_KUBEFLOW, "https://www.kubeflow.org/docs/components/pipelines/"),
            _integration(_GREAT_EXPECTATIONS, "https://greatexpectations.io/"),
            _integration(_FILES, "https://www.rfc-editor.org/rfc/rfc4180"),
        ],
        "operators": [
            _modules("operators.mlflow", _MLFLOW),
            _modules("operators.kubeflow", _KUBEFLOW),
            _modules("operators.great_expectations", _GREAT_EXPECTATIONS),
        ],
        "sensors": [
            _modules("sensors.mlflow", _MLFLOW),
            _modules("sensors.kubeflow", _KUBEFLOW),
            _modules("sensors.data_quality", _FILES),
        ],
        "triggers": [
            _modules("triggers.mlflow", _MLFLOW),
            _modules("triggers.kubeflow", _KUBEFLOW),
            _modules("triggers.data_quality", _FILES),
        ],
        "hooks": [_modules("hooks.mlflow", _MLFLOW), _modules("hooks.kubeflow", _KUBEFLOW)],
        "notifications": [
            f"tenant_airflow_lib.notifiers.{name}"
            for name in (
                "AlertRouter",
                "MailFailureNotifier",
                "OnCallNotifier",
                "SlackFailureNotifier",
                "SlackMessageNotifier",
            )
        ],
    }


def _integration(name: str, url: str) -> dict[str, Any]:
    return {"integration-name": name, "external-doc-url": url, "tags": ["service"]}


def _modules(module: str, integration: str) -> dict[str, Any]:
    return {"integration-name": integration, "python-modules": [f"tenant_airflow_lib.{module}"]}
