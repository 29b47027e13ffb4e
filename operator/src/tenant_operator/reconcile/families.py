"""The metrics that carry a tenant's name: names, words and labels, each written once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Family:
    """A metric: `labels` come after `tenant` and `namespace`, which every family has."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    counter: bool = False


def _family(name: str, help_: str, *labels: str, counter: bool = False) -> Family:
    return Family(name, help_, labels, counter)


INFO = _family(
    "airflow_tenant_info",
    "A tenant: its team, what it runs, whether the operator is paused (suspended), whether it is scraped "
    "(spec.monitoring.enabled), and its state: Running, Hibernating, Hibernated or Waking",
    "team", "airflow_version", "chart_version", "executor", "paused", "monitored", "state",
)  # fmt: skip
CONDITION = _family(
    "airflow_tenant_status_condition", "1 for the status that a condition has, 0 for the two others",
    "type", "status",
)  # fmt: skip
TRANSITION = _family(
    "airflow_tenant_condition_last_transition_timestamp_seconds", "When a condition last changed", "type"
)
GENERATION = _family("airflow_tenant_generation", "Generation of the spec")
OBSERVED = _family("airflow_tenant_observed_generation", "Generation of the spec that was last looked at")
REPLICAS = _family("airflow_tenant_component_replicas_desired", "Pods that the spec asks for", "component")
HEALTHY = _family(
    "airflow_tenant_component_healthy",
    "1 if Airflow's own health answer calls the component healthy; api-server: 1 if it answers at all. "
    "Absent while the tenant is suspended or asleep, or nothing can be known",
    "component",
)
HEARTBEAT = _family(
    "airflow_tenant_component_last_heartbeat_timestamp_seconds",
    "Last heartbeat of a component, as Airflow tells it",
    "component",
)
POOL = _family("airflow_tenant_pool_slots", "Slots of a pool in the spec; +Inf for no limit", "pool_name")
_OBJECT_HELP = "in the spec (desired), in Airflow as the spec says (in_sync), refused (failed)"
OBJECTS = {
    "pools": _family("airflow_tenant_pools", f"Pools {_OBJECT_HELP}", "state"),
    "connections": _family("airflow_tenant_connections", f"Connections {_OBJECT_HELP}", "state"),
    "variables": _family("airflow_tenant_variables", f"Variables {_OBJECT_HELP}", "state"),
    "roles": _family("airflow_tenant_rbac_roles", f"Roles {_OBJECT_HELP}", "state"),
}
RELEASE = _family(
    "airflow_tenant_helm_release_info", "The release that is deployed",
    "release", "revision", "chart_version", "airflow_version",
)  # fmt: skip
RELEASE_STATUS = _family(
    "airflow_tenant_helm_release_status",
    "1 for the status of the release in Helm's words, 0 for the others",
    "status",
)
REVISION = _family(
    "airflow_tenant_dags_revision_info", "Commit of a DAG source that Airflow has parsed",
    "source", "revision",
)  # fmt: skip
PENDING_SINCE = _family(
    "airflow_tenant_dags_revision_pending_since_timestamp_seconds",
    "Since when git-sync has had a commit that Airflow has not parsed; 0 when there is none",
    "source",
)
DAG_COUNT = _family("airflow_tenant_dags", "DAGs that Airflow has found in a source", "source")
OBJECTIVE = _family("airflow_tenant_slo_objective_ratio", "Objective of an SLO of the spec", "slo")
DURATION_LIMIT = _family(
    "airflow_tenant_dag_duration_limit_seconds", "Longest run that the spec allows a DAG", "dag_id"
)
DRIFT_DETECTED = _family(
    "airflow_operator_drift_detected", "Objects found changed or deleted by somebody else", "kind",
    counter=True,
)  # fmt: skip
DRIFT_CORRECTED = _family(
    "airflow_operator_drift_corrected", "Objects put back after a change by somebody else", "kind",
    counter=True,
)  # fmt: skip

FAMILIES: tuple[Family, ...] = (
    INFO, CONDITION, TRANSITION, GENERATION, OBSERVED, REPLICAS, HEALTHY, HEARTBEAT, POOL, *OBJECTS.values(),
    RELEASE, RELEASE_STATUS, REVISION, PENDING_SINCE, DAG_COUNT, OBJECTIVE, DURATION_LIMIT,
    DRIFT_DETECTED, DRIFT_CORRECTED,
)  # fmt: skip
