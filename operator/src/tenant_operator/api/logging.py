"""Where a tenant's logs go, and in which form."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from tenant_operator.api.rules import Json, Matches, Model, cel


class RemoteLogs(Model):
    """The store of task logs: without one, a task's log goes with its pod."""

    cel: ClassVar[tuple[Json, ...]] = (
        cel(
            "!has(self.encrypt) || !self.encrypt || self.folder.startsWith('s3://')",
            "encrypt goes with an s3:// folder",
        ),
    )
    folder: Annotated[
        str,
        Field(min_length=1, max_length=512),
        # The schemes by which Airflow chooses the handler: [logging] remote_base_log_folder.
        Matches(
            r"^(s3|gs|wasb|cloudwatch|stackdriver)://[^\s]+$",
            "must begin with s3://, gs://, wasb://, cloudwatch:// or stackdriver://",
        ),
        Matches(r"^[a-z0-9]+://[^/]*@", "must not hold credentials: name a connection", forbid=True),
    ]
    """Where task logs are kept, as in Airflow's remote_base_log_folder, for example s3://airflow-logs/payments."""
    connection_id: Annotated[
        str,
        Field(max_length=200),
        Matches(r"^[A-Za-z0-9_.-]*$", "must be letters, digits, '_', '.' and '-'"),
    ] = ""
    """Connection of spec.connections that opens the store. Empty: the pods' own cloud identity."""
    encrypt: bool = False
    """Ask S3 for server-side encryption of each log."""

    @model_validator(mode="after")
    def _encryption_is_of_s3(self) -> RemoteLogs:
        if self.encrypt and not self.folder.startswith("s3://"):
            raise ValueError("encrypt goes with an s3:// folder")
        return self


class Logging(Model):
    """Logs of the tenant's Airflow."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Lowest level that is written."""
    format: Literal["json", "text"] = "json"
    """One JSON object a line, with dag_id, run_id, task_id and try_number in tasks' lines; or plain text."""
    remote: RemoteLogs | None = None
    """Store of task logs. Left out: they stay in the pods."""


class Traces(Model):
    """Traces of DAG runs and tasks by OpenTelemetry."""

    otlp_endpoint: Annotated[
        str,
        Field(max_length=512),
        Matches(r"^(https?://[^\s@]+)?$", "must be an http:// or https:// URL without credentials"),
    ] = ""
    """Address of an OTLP/HTTP receiver, for example http://otel-collector.observability:4318. Empty: no
    traces. The receiver must be reachable: name it in network.egress."""
