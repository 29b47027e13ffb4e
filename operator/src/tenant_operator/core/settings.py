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
    "COST_CURRENCY": "cost_currency",
    "COST_CPU_CORE_HOUR": "cost_cpu_core_hour",
    "COST_MEMORY_GIB_HOUR": "cost_memory_gib_hour",
    "COST_STORAGE_GIB_MONTH": "cost_storage_gib_month",
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
    cost_currency: str = Field("USD", pattern="^[A-Z]{3}$", description="ISO 4217 code of the prices below")
    cost_cpu_core_hour: float | None = Field(None, ge=0, allow_inf_nan=False)
    cost_memory_gib_hour: float | None = Field(None, ge=0, allow_inf_nan=False)
    cost_storage_gib_month: float | None = Field(None, ge=0, allow_inf_nan=False)

    @property
    def prices(self) -> dict[str, float]:
        """The prices that the installation states, by resource; what is left out has none."""
        stated = {
            "cpu_core_hour": self.cost_cpu_core_hour,
            "memory_gib_hour": self.cost_memory_gib_hour,
            "storage_gib_month": self.cost_storage_gib_month,
        }
        return {resource: price for resource, price in stated.items() if price is not None}


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
