"""What the lake's DAGs pass to Spark on EMR Serverless and to Redshift."""

from __future__ import annotations

from typing import Any

#: Jinja expression of the day that a run is about: the start of its data interval, else the moment from
#: which it may run.
DAY = "(data_interval_start | default(dag_run.run_after, true)).strftime('%Y-%m-%d')"
PARTITION = "{{ " + DAY + " }}"


def spark_job(
    entry_point: str, *arguments: str, executor_cores: int | None = None, executor_memory: str | None = None
) -> dict[str, Any]:
    """The `jobDriver` of `StartJobRun`. Sizes that are left out are those of the application.

    Reference: https://docs.aws.amazon.com/emr-serverless/latest/APIReference/API_SparkSubmit.html
    """
    job: dict[str, Any] = {"entryPoint": entry_point}
    if arguments:
        job["entryPointArguments"] = list(arguments)
    settings = {"spark.executor.cores": executor_cores, "spark.executor.memory": executor_memory}
    given = [f"--conf {name}={value}" for name, value in settings.items() if value is not None]
    if given:
        job["sparkSubmitParameters"] = " ".join(given)
    return {"sparkSubmit": job}


def logs_to(uri: str) -> dict[str, Any]:
    """The `configurationOverrides` that write driver and executor logs to S3. Raises ValueError."""
    if not uri.startswith("s3://"):
        raise ValueError(f"{uri!r} is no s3:// URI")
    return {"monitoringConfiguration": {"s3MonitoringConfiguration": {"logUri": uri}}}
