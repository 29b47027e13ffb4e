"""Every metric name that a dashboard, an alert or a recording rule uses, once.

A :class:`Metric` is called to become a selector: ``POOL_OPEN('tenant=~"$tenant"')`` is
``airflow_pool_open_slots{tenant=~"$tenant"}``. Airflow's names hold for Airflow 3.3 with StatsD's Influx
tags, legacy names off, and the mapping of the tenant chart (``airflow_`` + the name with dots as underscores;
timers are histograms in seconds). The registry test compares them with the pinned Airflow's definitions.
"""

from __future__ import annotations

from dataclasses import dataclass

COUNTER, GAUGE, HISTOGRAM, INFO = "counter", "gauge", "histogram", "info"


@dataclass(frozen=True)
class Metric:
    """One metric: the Prometheus name, its kind and its Grafana unit.

    A histogram is named without suffix; :attr:`bucket`, :attr:`sum` and :attr:`count` are its three series.
    """

    name: str
    kind: str = GAUGE
    unit: str = "short"

    def __str__(self) -> str:
        return self.name

    def __call__(self, *matchers: str) -> str:
        """The selector with these matchers; empty ones are left out."""
        given = [matcher for matcher in matchers if matcher]
        return f"{self.name}{{{','.join(given)}}}" if given else self.name

    @property
    def bucket(self) -> Metric:
        """The buckets of the histogram, with their label ``le``."""
        return self._part("bucket", self.unit)

    @property
    def count(self) -> Metric:
        """How many observations the histogram has seen."""
        return self._part("count", "short")

    @property
    def sum(self) -> Metric:
        """The sum of what the histogram has seen."""
        return self._part("sum", self.unit)

    def _part(self, suffix: str, unit: str) -> Metric:
        if self.kind != HISTOGRAM:
            msg = f"{self.name} is no histogram"
            raise ValueError(msg)
        return Metric(f"{self.name}_{suffix}", COUNTER, unit)


def _seconds(name: str) -> Metric:
    return Metric(name, HISTOGRAM, "s")


def _counter(name: str, unit: str = "short") -> Metric:
    return Metric(name, COUNTER, unit)


# --- Airflow: liveness -------------------------------------------------------------------------------------
SCHEDULER_HEARTBEAT = _counter("airflow_scheduler_heartbeat")
DAG_PROCESSOR_HEARTBEAT = _counter("airflow_dag_processor_heartbeat")
TRIGGERER_HEARTBEAT = _counter("airflow_triggerer_heartbeat")

# --- Airflow: scheduler and DAG runs -----------------------------------------------------------------------
SCHEDULER_LOOP = _seconds("airflow_scheduler_scheduler_loop_duration")
SCHEDULER_CRITICAL_SECTION = _seconds("airflow_scheduler_critical_section_duration")
SCHEDULER_EXECUTABLE = Metric("airflow_scheduler_tasks_executable")
SCHEDULER_STARVING = Metric("airflow_scheduler_tasks_starving")
DAGRUNS_RUNNING = Metric("airflow_scheduler_dagruns_running")
TASKS_KILLED_NO_HEARTBEAT = _counter("airflow_task_instances_without_heartbeats_killed")
DAGRUN_SUCCESS = _seconds("airflow_dagrun_duration_success")
DAGRUN_FAILED = _seconds("airflow_dagrun_duration_failed")
SCHEDULE_DELAY = _seconds("airflow_dagrun_schedule_delay")
FIRST_TASK_SCHEDULING_DELAY = _seconds("airflow_dagrun_first_task_scheduling_delay")
FIRST_TASK_START_DELAY = _seconds("airflow_dagrun_first_task_start_delay")
DEADLINE_CREATED = _counter("airflow_deadline_alerts_deadline_created")
DEADLINE_MISSED = _counter("airflow_deadline_alerts_deadline_missed")
DEADLINE_MET = _counter("airflow_deadline_alerts_deadline_not_missed")

# --- Airflow: tasks ----------------------------------------------------------------------------------------
TI_START = _counter("airflow_ti_start")
TI_FINISH = _counter("airflow_ti_finish")
TI_FAILURES = _counter("airflow_ti_failures")
TI_SUCCESSES = _counter("airflow_ti_successes")
TI_SCHEDULED = Metric("airflow_ti_scheduled")
TI_QUEUED = Metric("airflow_ti_queued")
TI_RUNNING = Metric("airflow_ti_running")
TI_DEFERRED = Metric("airflow_ti_deferred")
TI_CREATED = _counter("airflow_task_instance_created")
TASK_DURATION = _seconds("airflow_task_duration")
TASK_SCHEDULED_DURATION = _seconds("airflow_task_scheduled_duration")

# --- Airflow: DAG files ------------------------------------------------------------------------------------
IMPORT_ERRORS = Metric("airflow_dag_processing_import_errors")
DAGBAG_SIZE = Metric("airflow_dagbag_size")
TOTAL_PARSE_TIME = Metric("airflow_dag_processing_total_parse_time", GAUGE, "s")
PARSE_QUEUE = Metric("airflow_dag_processing_file_path_queue_size")
FILE_PARSE_DURATION = _seconds("airflow_dag_processing_last_duration")
FILE_PARSE_AGE = Metric("airflow_dag_processing_last_run_seconds_ago", GAUGE, "s")

# --- Airflow: pools, executor, triggerer -------------------------------------------------------------------
POOL_OPEN = Metric("airflow_pool_open_slots")
POOL_RUNNING = Metric("airflow_pool_running_slots")
POOL_QUEUED = Metric("airflow_pool_queued_slots")
POOL_SCHEDULED = Metric("airflow_pool_scheduled_slots")
POOL_DEFERRED = Metric("airflow_pool_deferred_slots")
POOL_STARVING = Metric("airflow_pool_starving_tasks")
EXECUTOR_OPEN = Metric("airflow_executor_open_slots")
EXECUTOR_QUEUED = Metric("airflow_executor_queued_tasks")
EXECUTOR_RUNNING = Metric("airflow_executor_running_tasks")
TRIGGERER_CAPACITY_LEFT = Metric("airflow_triggerer_capacity_left")
TRIGGERS_RUNNING = Metric("airflow_triggers_running")
TRIGGERS_BLOCKED = _counter("airflow_triggers_blocked_main_thread")
POD_CREATION_STATUS = _counter("airflow_kubernetes_executor_pod_creation_status")

# --- The operator ------------------------------------------------------------------------------------------
OPERATOR_BUILD_INFO = Metric("airflow_operator_build_info", INFO)
OPERATOR_LEADER = Metric("airflow_operator_leader")
RECONCILE_TOTAL = _counter("airflow_operator_reconcile_total")
RECONCILE_DURATION = _seconds("airflow_operator_reconcile_duration_seconds")
ACTIVE_RECONCILES = Metric("airflow_operator_active_reconciles")
OPERATOR_QUEUE = Metric("airflow_operator_queue_length")
OPERATOR_TENANTS = Metric("airflow_operator_tenants")
HANDLER_RETRIES = _counter("airflow_operator_handler_retries_total")
EVENT_LOOP_LAG = Metric("airflow_operator_event_loop_lag_seconds", GAUGE, "s")
WATCH_RESTARTS = _counter("airflow_operator_watch_restarts_total")
KUBE_API_REQUESTS = _counter("airflow_operator_kube_api_requests_total")
HELM_OPERATION = _counter("airflow_operator_helm_operation_total")
HELM_OPERATION_DURATION = _seconds("airflow_operator_helm_operation_duration_seconds")
AIRFLOW_API_REQUESTS = _counter("airflow_operator_airflow_api_requests_total")
AIRFLOW_API_DURATION = _seconds("airflow_operator_airflow_api_request_duration_seconds")
DRIFT_DETECTED = _counter("airflow_operator_drift_detected_total")
DRIFT_CORRECTED = _counter("airflow_operator_drift_corrected_total")
COST_UNIT_PRICE = Metric("airflow_cost_unit_price")

# --- The operator: one tenant ------------------------------------------------------------------------------
TENANT_INFO = Metric("airflow_tenant_info", INFO)
TENANT_CONDITION = Metric("airflow_tenant_status_condition")
TENANT_CONDITION_SINCE = Metric("airflow_tenant_condition_last_transition_timestamp_seconds", GAUGE, "s")
TENANT_GENERATION = Metric("airflow_tenant_generation")
TENANT_OBSERVED_GENERATION = Metric("airflow_tenant_observed_generation")
TENANT_REPLICAS_DESIRED = Metric("airflow_tenant_component_replicas_desired")
TENANT_COMPONENT_HEALTHY = Metric("airflow_tenant_component_healthy")
TENANT_COMPONENT_HEARTBEAT = Metric("airflow_tenant_component_last_heartbeat_timestamp_seconds", GAUGE, "s")
TENANT_POOL_SLOTS = Metric("airflow_tenant_pool_slots")
TENANT_POOLS = Metric("airflow_tenant_pools")
TENANT_VARIABLES = Metric("airflow_tenant_variables")
TENANT_CONNECTIONS = Metric("airflow_tenant_connections")
TENANT_RBAC_ROLES = Metric("airflow_tenant_rbac_roles")
TENANT_HELM_INFO = Metric("airflow_tenant_helm_release_info", INFO)
TENANT_HELM_STATUS = Metric("airflow_tenant_helm_release_status")
TENANT_DAGS_REVISION = Metric("airflow_tenant_dags_revision_info", INFO)
TENANT_DAGS_PENDING_SINCE = Metric("airflow_tenant_dags_revision_pending_since_timestamp_seconds", GAUGE, "s")
TENANT_SLO_OBJECTIVE = Metric("airflow_tenant_slo_objective_ratio", GAUGE, "percentunit")
TENANT_DURATION_LIMIT = Metric("airflow_tenant_dag_duration_limit_seconds", GAUGE, "s")

# --- SLO records (Sloth's names) ---------------------------------------------------------------------------
SLO_OBJECTIVE = Metric("slo:objective:ratio", GAUGE, "percentunit")
SLO_ERROR_BUDGET = Metric("slo:error_budget:ratio", GAUGE, "percentunit")
SLO_PERIOD_DAYS = Metric("slo:time_period:days", GAUGE, "d")
SLO_BURN_NOW = Metric("slo:current_burn_rate:ratio")
SLO_BURN_PERIOD = Metric("slo:period_burn_rate:ratio")
SLO_BUDGET_LEFT = Metric("slo:period_error_budget_remaining:ratio", GAUGE, "percentunit")
SLO_INFO = Metric("sloth_slo_info", INFO)


def slo_error_ratio(window: str) -> Metric:
    """The recorded error ratio over ``window`` (5m, 30m, 1h, 2h, 6h, 1d, 3d, 30d)."""
    return Metric(f"slo:sli_error:ratio_rate{window}", GAUGE, "percentunit")


# --- Prometheus itself -------------------------------------------------------------------------------------
UP = Metric("up")
ALERTS = Metric("ALERTS")
ALERTS_FOR_STATE = Metric("ALERTS_FOR_STATE", GAUGE, "s")
SCRAPE_SAMPLES = Metric("scrape_samples_scraped")
SCRAPE_SERIES_ADDED = Metric("scrape_series_added")
SCRAPE_DURATION = Metric("scrape_duration_seconds", GAUGE, "s")

# --- A Python process (the operator) -----------------------------------------------------------------------
PROCESS_CPU = _counter("process_cpu_seconds_total", "s")
PROCESS_MEMORY = Metric("process_resident_memory_bytes", GAUGE, "bytes")
PROCESS_OPEN_FDS = Metric("process_open_fds")
PROCESS_MAX_FDS = Metric("process_max_fds")
PROCESS_START = Metric("process_start_time_seconds", GAUGE, "s")

# --- git-sync ----------------------------------------------------------------------------------------------
GIT_SYNC = _counter("git_sync_count_total")

# --- kube-state-metrics, kubelet and cAdvisor --------------------------------------------------------------
CONTAINER_CPU = _counter("container_cpu_usage_seconds_total", "s")
CONTAINER_THROTTLED = _counter("container_cpu_cfs_throttled_periods_total")
CONTAINER_PERIODS = _counter("container_cpu_cfs_periods_total")
CONTAINER_MEMORY = Metric("container_memory_working_set_bytes", GAUGE, "bytes")
KUBE_REQUESTS = Metric("kube_pod_container_resource_requests")
KUBE_LIMITS = Metric("kube_pod_container_resource_limits")
KUBE_POD_LABELS = Metric("kube_pod_labels", INFO)
KUBE_POD_PHASE = Metric("kube_pod_status_phase")
KUBE_RESTARTS = _counter("kube_pod_container_status_restarts_total")
KUBE_TERMINATED_REASON = Metric("kube_pod_container_status_last_terminated_reason")
KUBE_QUOTA = Metric("kube_resourcequota")
KUBE_ENDPOINT_ADDRESS = Metric("kube_endpoint_address")
KUBE_ENDPOINTSLICE_ENDPOINTS = Metric("kube_endpointslice_endpoints")
KUBE_DEPLOYMENT_REPLICAS = Metric("kube_deployment_spec_replicas")
KUBE_DEPLOYMENT_AVAILABLE = Metric("kube_deployment_status_replicas_available")
KUBE_STATEFULSET_REPLICAS = Metric("kube_statefulset_replicas")
KUBE_STATEFULSET_READY = Metric("kube_statefulset_status_replicas_ready")
KUBE_PVC_REQUEST = Metric("kube_persistentvolumeclaim_resource_requests_storage_bytes", GAUGE, "bytes")
VOLUME_USED = Metric("kubelet_volume_stats_used_bytes", GAUGE, "bytes")
VOLUME_AVAILABLE = Metric("kubelet_volume_stats_available_bytes", GAUGE, "bytes")
VOLUME_CAPACITY = Metric("kubelet_volume_stats_capacity_bytes", GAUGE, "bytes")

# --- Argo CD -----------------------------------------------------------------------------------------------
ARGOCD_APP_INFO = Metric("argocd_app_info", INFO)

# --- git-sync's and Airflow's less usual ones --------------------------------------------------------------
OPENLINEAGE_EMIT = _seconds("airflow_ol_emit_attempts")
OPENLINEAGE_EMIT_FAILED = _counter("airflow_ol_emit_failed")

# --- What the library's DAGs send (gauges expire in the exporter: read them with last_over_time) -----------
CANARY_LATENCY = _seconds("airflow_canary_latency")
FEATURES_WATERMARK = Metric("airflow_features_watermark_timestamp_seconds", GAUGE, "s")
FEATURES_TTL = Metric("airflow_features_ttl_seconds", GAUGE, "s")
DRIFT_PSI = Metric("airflow_drift_psi")
DRIFT_PSI_LIMIT = Metric("airflow_drift_psi_limit")
MODEL_ACCURACY = Metric("airflow_model_accuracy", GAUGE, "percentunit")
MODEL_ACCURACY_BASELINE = Metric("airflow_model_accuracy_baseline", GAUGE, "percentunit")
MODEL_BIAS = Metric("airflow_model_bias", GAUGE, "percentunit")
MODEL_BIAS_LIMIT = Metric("airflow_model_bias_limit", GAUGE, "percentunit")

# --- PostgreSQL (postgres_exporter), PgBouncer, Redis (redis_exporter) -------------------------------------
PG_UP = Metric("pg_up")
PG_CONNECTIONS = Metric("pg_stat_activity_count")
PG_MAX_CONNECTIONS = Metric("pg_settings_max_connections")
PG_BLOCKS_HIT = _counter("pg_stat_database_blks_hit")
PG_BLOCKS_READ = _counter("pg_stat_database_blks_read")
PG_SIZE = Metric("pg_database_size_bytes", GAUGE, "bytes")
PG_BACKENDS = Metric("pg_stat_database_numbackends")
PG_READ_TIME = _counter("pg_stat_database_blk_read_time", "ms")
# two dialects: prometheus-community's exporter, and jbub's, from which the Airflow project builds its image
# https://github.com/prometheus-community/pgbouncer_exporter https://github.com/jbub/pgbouncer_exporter
PGBOUNCER_WAITING = Metric("pgbouncer_pools_client_waiting_connections")
PGBOUNCER_ACTIVE = Metric("pgbouncer_pools_client_active_connections")
PGBOUNCER_JBUB_WAITING = Metric("pgbouncer_exporter_pools_waiting_clients")
PGBOUNCER_JBUB_ACTIVE = Metric("pgbouncer_exporter_pools_active_clients")
REDIS_UP = Metric("redis_up")
# a managed database: yet-another-cloudwatch-exporter's names of Amazon RDS
RDS_CPU = Metric("aws_rds_cpuutilization_average", GAUGE, "percent")
RDS_CONNECTIONS = Metric("aws_rds_database_connections_average")
RDS_FREE_STORAGE = Metric("aws_rds_free_storage_space_average", GAUGE, "bytes")
RDS_READ_LATENCY = Metric("aws_rds_read_latency_p95", GAUGE, "s")
RDS_WRITE_LATENCY = Metric("aws_rds_write_latency_p95", GAUGE, "s")
REDIS_KEY_SIZE = Metric("redis_key_size")
REDIS_MEMORY_USED = Metric("redis_memory_used_bytes", GAUGE, "bytes")
REDIS_MEMORY_MAX = Metric("redis_memory_max_bytes", GAUGE, "bytes")
REDIS_CPU_USER = _counter("redis_cpu_user_seconds_total", "s")
REDIS_CPU_SYS = _counter("redis_cpu_sys_seconds_total", "s")
REDIS_HITS = _counter("redis_keyspace_hits_total")
REDIS_MISSES = _counter("redis_keyspace_misses_total")
REDIS_EVICTED = _counter("redis_evicted_keys_total")

# --- The edge: what alerts/edge.py records of the requests to tenants, and what it reads -------------------
EDGE_REQUESTS = Metric("namespace_code:airflow_edge_requests:rate5m", GAUGE, "reqps")
EDGE_DURATION = Metric(
    "namespace_quantile:airflow_edge_request_duration_seconds:histogram_quantile", GAUGE, "s"
)
TRAEFIK_REQUESTS = _counter("traefik_service_requests_total")
TRAEFIK_DURATION = _seconds("traefik_service_request_duration_seconds")
ENVOY_REQUESTS = _counter("envoy_cluster_upstream_rq")
ENVOY_DURATION = Metric("envoy_cluster_upstream_rq_time", HISTOGRAM, "ms")

# --- cAdvisor's disks --------------------------------------------------------------------------------------
CONTAINER_READ_BYTES = _counter("container_fs_reads_bytes_total", "bytes")
CONTAINER_WRITE_BYTES = _counter("container_fs_writes_bytes_total", "bytes")
CONTAINER_READS = _counter("container_fs_reads_total")
CONTAINER_WRITES = _counter("container_fs_writes_total")
KUBE_POD_REASON = Metric("kube_pod_status_reason")


def grown(selector: str, window: str) -> str:
    """By how much a counter grew over ``window``, for counters that do not start at zero.

    Airflow sends a counter with its first event, so ``increase()`` never sees the first failure of a DAG. A
    series that was not there ``window`` ago counts with its whole value; it is looked for over an hour, so
    that a gap between two scrapes makes no events up. https://github.com/prometheus/prometheus/issues/1673
    """
    known = f"max_over_time({selector}[1h] offset {window})"
    return f"(({selector} unless {known}) or increase({selector}[{window}]))"
