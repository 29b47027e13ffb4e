"""Metrics of other programs, as far as boards and alerts use them or a reader may want them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tenant_dashboards.registry.model import Metric

Row = tuple[str, str, str, str]  # name, type, labels divided by spaces, help


@dataclass(frozen=True)
class Program:
    """A source, the version whose documentation was read, and what it measures."""

    source: str
    version: str
    documentation: str
    rows: tuple[Row, ...] = field(repr=False)


_APP = "name namespace project autosync_enabled repo dest_server dest_namespace"
_POD = "namespace pod"
_CLAIM = "namespace persistentvolumeclaim"
_CONTAINER = "namespace pod container"

PROGRAMS = (
    Program(
        "git-sync",
        "4.4.2",
        "https://github.com/kubernetes/git-sync/blob/v4.4.2/main.go",
        (
            ("git_sync_count_total", "counter", "status", "Syncs by result: success, error or noop"),
            ("git_sync_duration_seconds", "summary", "status", "Time of syncs by result"),
            ("git_sync_hook_run_count_total", "counter", "name status", "Runs of hooks by result"),
            ("git_fetch_count_total", "counter", "", "Fetches from the remote"),
        ),
    ),
    Program(
        "postgres-exporter",
        "0.11.1",
        "https://github.com/prometheus-community/postgres_exporter",
        (
            ("pg_up", "gauge", "", "1 if the last scrape could connect"),
            ("pg_database_size_bytes", "gauge", "datname server", "Disk space of a database"),
            ("pg_settings_max_connections", "gauge", "server", "The most connections that are allowed"),
            ("pg_stat_activity_count", "gauge", "datname state server", "Connections by state"),
            ("pg_stat_activity_max_tx_duration", "gauge", "datname state server",
             "Age of the longest transaction, in seconds"),
            ("pg_stat_database_numbackends", "gauge", "datid datname server", "Connections to a database"),
            ("pg_stat_database_xact_commit", "counter", "datid datname server", "Transactions committed"),
            ("pg_stat_database_xact_rollback", "counter", "datid datname server", "Transactions rolled back"),
            ("pg_stat_database_blks_hit", "counter", "datid datname server", "Blocks found in the cache"),
            ("pg_stat_database_blks_read", "counter", "datid datname server", "Blocks read from disk"),
            ("pg_stat_database_blk_read_time", "counter", "datid datname server",
             "Time of reads in milliseconds; needs track_io_timing"),
            ("pg_stat_database_blk_write_time", "counter", "datid datname server",
             "Time of writes in milliseconds; needs track_io_timing"),
            ("pg_stat_database_tup_inserted", "counter", "datid datname server", "Rows inserted"),
            ("pg_stat_database_tup_updated", "counter", "datid datname server", "Rows updated"),
            ("pg_stat_database_tup_fetched", "counter", "datid datname server",
             "Rows fetched by index scans"),
            ("pg_stat_database_deadlocks", "counter", "datid datname server", "Deadlocks"),
            ("pg_stat_database_temp_bytes", "counter", "datid datname server", "Bytes written to files"),
            ("pg_locks_count", "gauge", "datname mode server", "Locks by mode"),
        ),
    ),
    Program(
        "redis-exporter",
        "1.43.0",
        "https://github.com/oliver006/redis_exporter",
        (
            ("redis_up", "gauge", "", "1 if the last scrape could connect"),
            ("redis_connected_clients", "gauge", "", "Clients"),
            ("redis_memory_used_bytes", "gauge", "", "Memory in use"),
            ("redis_memory_max_bytes", "gauge", "", "Limit of memory; 0 is none"),
            ("redis_cpu_user_seconds_total", "counter", "", "CPU time in user mode"),
            ("redis_cpu_sys_seconds_total", "counter", "", "CPU time in system mode"),
            ("redis_keyspace_hits_total", "counter", "", "Lookups of keys that were there"),
            ("redis_keyspace_misses_total", "counter", "", "Lookups of keys that were not there"),
            ("redis_evicted_keys_total", "counter", "", "Keys evicted because memory was short"),
            ("redis_key_size", "gauge", "db key", "Length of a list; needs check-single-keys"),
            ("redis_commands_processed_total", "counter", "", "Commands"),
            ("redis_slowlog_length", "gauge", "", "Entries of the slow log"),
        ),
    ),
    Program(
        "pgbouncer-exporter",
        "0.10.2",
        "https://github.com/prometheus-community/pgbouncer_exporter",
        (
            ("pgbouncer_up", "gauge", "", "1 if the last scrape could connect"),
            ("pgbouncer_pools_client_active_connections", "gauge", "database user", "Clients with a server"),
            ("pgbouncer_pools_client_waiting_connections", "gauge", "database user", "Clients that wait"),
            ("pgbouncer_pools_client_maxwait_seconds", "gauge", "database user", "Age of the longest wait"),
            ("pgbouncer_pools_server_active_connections", "gauge", "database user", "Servers with a client"),
            ("pgbouncer_pools_server_idle_connections", "gauge", "database user", "Servers without a client"),
            ("pgbouncer_databases_pool_size", "gauge", "database user", "The most servers of a pool"),
            ("pgbouncer_databases_max_connections", "gauge", "database user",
             "The most servers of a database"),
            ("pgbouncer_config_max_client_connections", "gauge", "", "The most clients"),
            # of Debian's prometheus-pgbouncer-exporter, a program by other authors
            ("pgbouncer_exporter_pools_active_clients", "gauge", "database user", "Clients with a server"),
            ("pgbouncer_exporter_pools_waiting_clients", "gauge", "database user", "Clients that wait"),
        ),
    ),
    Program(
        "kube-state-metrics",
        "2.17",
        "https://github.com/kubernetes/kube-state-metrics/tree/main/docs/metrics",
        (
            ("kube_pod_status_phase", "gauge", f"{_POD} phase", "1 for the phase of a pod"),
            ("kube_pod_status_reason", "gauge", f"{_POD} reason", "1 for the reason of a pod's status"),
            ("kube_pod_labels", "gauge", f"{_POD} label_tenant label_component label_dag_id label_task_id",
             "Labels of a pod; needs metric-labels-allowlist"),
            ("kube_pod_container_resource_requests", "gauge", f"{_CONTAINER} resource unit node", "Requests"),
            ("kube_pod_container_resource_limits", "gauge", f"{_CONTAINER} resource unit node", "Limits"),
            ("kube_pod_container_status_restarts_total", "counter", _CONTAINER, "Restarts of a container"),
            ("kube_pod_container_status_last_terminated_reason", "gauge", f"{_CONTAINER} reason",
             "1 for the reason why a container ended last"),
            ("kube_pod_container_status_waiting_reason", "gauge", f"{_CONTAINER} reason",
             "1 for the reason why a container waits"),
            ("kube_deployment_spec_replicas", "gauge", "namespace deployment", "Replicas wanted"),
            ("kube_deployment_status_replicas_available", "gauge", "namespace deployment",
             "Replicas available"),
            ("kube_statefulset_replicas", "gauge", "namespace statefulset", "Replicas wanted"),
            ("kube_statefulset_status_replicas_ready", "gauge", "namespace statefulset", "Replicas ready"),
            ("kube_resourcequota", "gauge", "namespace resourcequota resource type", "Quota, used and hard"),
            ("kube_persistentvolumeclaim_resource_requests_storage_bytes", "gauge",
             "namespace persistentvolumeclaim", "Size of a claim"),
            ("kube_endpoint_address", "gauge", "namespace endpoint ip ready port_name",
             "Addresses of an Endpoints"),
            ("kube_endpointslice_endpoints", "gauge", "namespace endpointslice address ready",
             "Addresses of an EndpointSlice"),
        ),
    ),
    Program(
        "cadvisor",
        "0.53",
        "https://github.com/google/cadvisor/blob/master/docs/storage/prometheus.md",
        (
            ("container_cpu_usage_seconds_total", "counter", f"{_CONTAINER} node metrics_path", "CPU time"),
            ("container_cpu_cfs_periods_total", "counter", f"{_CONTAINER} node metrics_path",
             "Periods of the CPU's quota"),
            ("container_cpu_cfs_throttled_periods_total", "counter", f"{_CONTAINER} node metrics_path",
             "Periods in which the quota was used up"),
            ("container_memory_working_set_bytes", "gauge", f"{_CONTAINER} node metrics_path",
             "Memory in use"),
            ("container_fs_reads_bytes_total", "counter", f"{_CONTAINER} node device metrics_path",
             "Bytes read"),
            ("container_fs_writes_bytes_total", "counter", f"{_CONTAINER} node device metrics_path",
             "Bytes written"),
            ("container_fs_reads_total", "counter", f"{_CONTAINER} node device metrics_path", "Reads"),
            ("container_fs_writes_total", "counter", f"{_CONTAINER} node device metrics_path", "Writes"),
        ),
    ),
    Program(
        "kubelet",
        "1.34",
        "https://kubernetes.io/docs/reference/instrumentation/metrics/",
        tuple(
            (f"kubelet_volume_stats_{name}", "gauge", f"{_CLAIM} node metrics_path", text)
            for name, text in (
                ("used_bytes", "Bytes used of a volume"),
                ("available_bytes", "Bytes free on a volume"),
                ("capacity_bytes", "Size of a volume"),
                ("inodes_used", "Inodes used of a volume"),
                ("inodes", "Inodes of a volume"),
            )
        ),
    ),
    Program(
        "traefik",
        "3.6",
        "https://doc.traefik.io/traefik/observability/metrics/overview/",
        (
            ("traefik_service_requests_total", "counter",
             "service exported_service code method protocol", "Requests by backend"),
            ("traefik_service_request_duration_seconds", "histogram",
             "service exported_service code method protocol", "Time of requests by backend"),
        ),
    ),
    Program(
        "envoy-gateway",
        "1.9",
        "https://gateway.envoyproxy.io/docs/tasks/observability/proxy-metric/",
        (
            ("envoy_cluster_upstream_rq", "counter", "envoy_cluster_name envoy_response_code",
             "Answers to requests by rule of a route"),
            ("envoy_cluster_upstream_rq_time", "histogram", "envoy_cluster_name",
             "Time of requests in milliseconds by rule of a route"),
        ),
    ),
    Program(
        "argocd",
        "3.2",
        "https://argo-cd.readthedocs.io/en/stable/operator-manual/metrics/",
        (
            ("argocd_app_info", "gauge",
             f"{_APP} sync_status health_status operation",
             "1 for each application"),
            ("argocd_app_sync_total", "counter",
             f"{_APP} phase", "Syncs by result"),
        ),
    ),
    Program(
        "cloudwatch-exporter",
        "0.62",
        "https://github.com/prometheus-community/yet-another-cloudwatch-exporter",
        tuple(
            (f"aws_{name}", "gauge", "dimension_DBInstanceIdentifier dimension_CacheClusterId", text)
            for name, text in (
                ("rds_cpuutilization_average", "CPU of the database in percent"),
                ("rds_database_connections_average", "Connections of the database"),
                ("rds_free_storage_space_average", "Bytes free in the database's storage"),
                ("rds_freeable_memory_average", "Bytes of memory that are free"),
                ("rds_read_latency_p95", "Seconds of a read, 95th percentile"),
                ("rds_write_latency_p95", "Seconds of a write, 95th percentile"),
                ("elasticache_cpuutilization_average", "CPU of Redis in percent"),
            )
        ),
    ),
    Program(
        "prometheus",
        "3.15",
        "https://prometheus.io/docs/concepts/jobs_instances/",
        (
            ("up", "gauge", "", "1 if the last scrape of a target worked"),
            ("scrape_duration_seconds", "gauge", "", "Time of a scrape"),
            ("scrape_samples_scraped", "gauge", "", "Samples of a scrape"),
            ("scrape_samples_post_metric_relabeling", "gauge", "", "Samples that were kept"),
            ("scrape_series_added", "gauge", "", "New series of a scrape"),
            ("ALERTS", "gauge", "alertname alertstate severity priority", "1 for a pending or firing alert"),
            ("ALERTS_FOR_STATE", "gauge", "alertname severity priority", "When an alert became active"),
        ),
    ),
)  # fmt: skip


def metrics() -> Iterator[Metric]:
    """All rows as metrics."""
    for program in PROGRAMS:
        for name, kind, labels, help_ in program.rows:
            unit = next((word for word in ("seconds", "bytes") if f"_{word}" in name), "")
            yield Metric(
                name, kind, program.source, help_, tuple(labels.split()), unit,
                since=program.version, documentation=program.documentation,
            )  # fmt: skip
