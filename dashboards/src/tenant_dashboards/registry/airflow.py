"""Airflow's metrics, from the definitions that it ships: `metrics_template.yaml`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tenant_dashboards.registry.model import Metric

PREFIX = "airflow"
#: Where the definitions are below Airflow's package.
TEMPLATE = Path("airflow/_shared/observability/metrics/metrics_template.yaml")
DOCUMENTATION = (
    "https://airflow.apache.org/docs/apache-airflow/stable/administration-and-deployment/"
    "logging-monitoring/metrics.html"
)
_TYPES = {"counter": "counter", "gauge": "gauge", "timer": "histogram"}
#: Tags that the tenant chart switches off: each value would be a series of its own.
DISABLED_TAGS = frozenset({"job_id", "run_id", "dagrun_id", "file_path"})
# The definitions name the tags that legacy names need. What is sent beside them, by name: found in the
# recording, which a test compares with this, and in Airflow's sources.
_RUN = ("dag_id", "run_type")
_TASK = ("dag_id", "task_id")
_MORE_LABELS: dict[str, tuple[str, ...]] = {
    "dag.callback_exceptions": ("dag_id",),
    "dag_processing.last_run.seconds_ago": ("bundle_name",),
    "dag_processing.processes": ("action",),
    "dagrun.dependency-check": _RUN,
    "dagrun.duration.failed": _RUN,
    "dagrun.duration.success": _RUN,
    "dagrun.first_task_scheduling_delay": _RUN,
    "dagrun.first_task_start_delay": _RUN,
    "deadline_alerts.deadline_created": ("dag_id",),
    "deadline_alerts.deadline_missed": ("dag_id",),
    "deadline_alerts.deadline_not_missed": ("dag_id",),
    "executor.open_slots": ("status",),
    "executor.queued_tasks": ("status",),
    "executor.running_tasks": ("status",),
    "kubernetes_executor.pod_creation_status": ("status",),
    "kubernetes_executor.pod_deletion_status": ("status",),
    "operator_failures": _TASK,
    "operator_successes": _TASK,
    "scheduler.executor_heartbeat_duration": ("executor",),
    "task.scheduled_duration": ("queue",),
    "task_instance_created": _RUN,
    "task_instances_without_heartbeats_killed": _TASK,
    "ti_failures": _TASK,
    "ti_successes": _TASK,
}
# Words for the parts of names that are variables. Airflow 3.3 has one class of jobs, jobs/job.py; a name of
# which nobody knows the words is not sent by it (dag_processing.last_num_of_db_queries).
_WORDS = {"job_name": ("job", "schedulerjobrunner")}
_VARIABLE = re.compile(r"\{(\w+)\}")
_SECONDS = {"dag_processing.total_parse_time", "dag_processing.last_run.seconds_ago"}


def definitions(template: Path) -> list[dict[str, Any]]:
    """The entries of a metrics_template.yaml. Raises OSError, and ValueError for a file of another form."""
    found = yaml.safe_load(template.read_text())
    if not isinstance(found, dict) or not isinstance(found.get("metrics"), list):
        raise ValueError(f"{template} holds no list of metrics")
    entries: list[dict[str, Any]] = found["metrics"]
    return entries


def metrics(template: Path, since: Mapping[str, str], version: str) -> Iterator[Metric]:
    """The metrics of a metrics_template.yaml, named as statsd_exporter does with the chart's mapping."""
    for entry in definitions(template):
        labels = {*entry["name_variables"], *_MORE_LABELS.get(entry["name"], ())} - DISABLED_TAGS
        kind = _TYPES[entry["type"]]
        for own in names(entry["name"]):
            name = prometheus_name(own)
            yield Metric(
                name=name,
                type=kind,
                source="airflow",
                help=" ".join(entry["description"].replace("``", "").split()),
                labels=tuple(sorted(labels - {*_VARIABLE.findall(entry["name"])})),
                unit="seconds" if kind == "histogram" or own in _SECONDS else "",
                airflow=own,
                since=since.get(name, version),
                documentation=DOCUMENTATION,
            )


def names(defined: str) -> list[str]:
    """A defined name with the words that Airflow puts in the place of a variable; none if unknown."""
    variable = _VARIABLE.search(defined)
    if variable is None:
        return [defined]
    return [defined.replace(variable[0], word) for word in _WORDS.get(variable[1], ())]


def prometheus_name(name: str) -> str:
    """`dagrun.dependency-check` is `airflow_dagrun_dependency_check`."""
    return f"{PREFIX}_{name.replace('.', '_').replace('-', '_')}"
