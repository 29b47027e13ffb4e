"""Logs and traces of a tenant as Airflow's settings. Pure.

https://airflow.apache.org/docs/apache-airflow/3.3.2/configurations-ref.html#logging
"""

from __future__ import annotations

from tenant_operator.core import names
from tenant_operator.plan.tenant import Tenant

Config = dict[str, dict[str, str]]


def config(tenant: Tenant) -> Config:
    """Sections [logging] and [traces]; what the spec's airflow.config says of them wins, key by key."""
    wanted = tenant.spec.logging
    logging = {
        "json_logs": _flag(wanted.format == "json"),
        "logging_level": wanted.level,
        "colored_console_log": "False",
    }
    if wanted.remote is not None:
        logging |= {
            "remote_logging": "True",
            "remote_base_log_folder": wanted.remote.folder,
            "remote_log_conn_id": wanted.remote.connection_id,
            "encrypt_s3_logs": _flag(wanted.remote.encrypt),
        }
    sections = {"logging": logging}
    if tenant.spec.traces.otlp_endpoint:
        # A receiver that is away must not keep each task's process for half a minute.
        sections["traces"] = {"otel_on": "True", "task_runner_flush_timeout_milliseconds": "5000"}
    given = tenant.spec.airflow.config
    return {
        section: {**sections.get(section, {}), **given.get(section, {})}
        for section in sorted({*sections, *given})
    }


def environment(tenant: Tenant) -> dict[str, str]:
    """Variables of the OpenTelemetry SDK, which Airflow leaves the receiver's address to.

    https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
    """
    endpoint = tenant.spec.traces.otlp_endpoint
    if not endpoint:
        return {}
    attributes = {names.LABEL_TENANT: tenant.name, names.LABEL_TEAM: tenant.spec.owner.team}
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        # Airflow chooses the exporter by this name, and gRPC without it, whatever ..._PROTOCOL says.
        "OTEL_TRACES_EXPORTER": "otlp_proto_http",
        "OTEL_SERVICE_NAME": f"airflow-{tenant.name}",
        "OTEL_RESOURCE_ATTRIBUTES": ",".join(f"{key}={value}" for key, value in attributes.items()),
    }


def _flag(value: bool) -> str:
    return "True" if value else "False"
