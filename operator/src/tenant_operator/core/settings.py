"""The operator's own settings, read from the environment once at start."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

_FIELDS_BY_VARIABLE = {
    "OPERATOR_NAMESPACE": "operator_namespace",
    "OPERATOR_SERVICE_ACCOUNT": "service_account",
    "LOG_LEVEL": "log_level",
    "LOG_FORMAT": "log_format",
    "RESYNC_INTERVAL": "resync_interval",
    "CONCURRENCY": "concurrency",
    "TENANT_DEFAULTS_FILE": "tenant_defaults_file",
    "CHART_PATH": "chart_path",
    "HELM": "helm",
    "METRICS_PORT": "metrics_port",
    "METRICS_HOST": "metrics_host",
    "AIRFLOW_URL_TEMPLATE": "airflow_url_template",
    "DELETION_DEADLINE": "deletion_deadline",
}


#: Every variable that the operator reads.
VARIABLES = tuple(_FIELDS_BY_VARIABLE)


class Settings(BaseModel):
    """Everything that may differ between two installations of the operator."""

    model_config = ConfigDict(frozen=True)

    operator_namespace: str = "airflow-tenants-system"
    #: empty when the operator runs outside of a cluster under a person's own rights
    service_account: str = ""
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    log_format: str = Field("json", pattern="^(json|text)$")
    resync_interval: float = Field(300.0, gt=0, description="seconds between two looks at a quiet tenant")
    concurrency: int = Field(8, ge=1, le=256, description="tenants reconciled at the same time")
    tenant_defaults_file: Path | None = None
    chart_path: Path = Path("/opt/charts/airflow-tenant")
    helm: str = "helm"
    metrics_port: int = Field(8080, ge=0, le=65535)
    metrics_host: str = "0.0.0.0"  # noqa: S104 - a pod's port; the NetworkPolicy says who may come in
    airflow_url_template: str = "http://{service}.{namespace}.svc:8080"
    deletion_deadline: float = 600.0


def from_environment(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings; raises SystemExit with one line per wrong variable."""
    given = {
        field: environ[variable] for variable, field in _FIELDS_BY_VARIABLE.items() if environ.get(variable)
    }
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        variables = {field: variable for variable, field in _FIELDS_BY_VARIABLE.items()}
        lines = [f"{variables[str(e['loc'][0])]}: {e['msg']} (got {e['input']!r})" for e in error.errors()]
        raise SystemExit("wrong settings:\n" + "\n".join(lines)) from None
