"""The metadata database: in the tenant's namespace, or a managed one whose figures an exporter brings.

Series of a managed database need the labels ``tenant`` and ``namespace``; the exporter's scrape configuration
sets them. The figures of a CloudWatch exporter have its names (``aws_rds_<metric>_<statistic>``).
"""

from __future__ import annotations

from tenant_dashboards.alerts.execution import cpu_of
from tenant_dashboards.alerts.model import Alert, Link, of_namespace, of_tenant

AREA = "database"
_PG = ("operator", "postgres_exporter or CloudWatch exporter")
_NAMED = "the labels tenant and namespace on the exporter's target"
_CONNECTIONS = """
            sum by (tenant, namespace) (pg_stat_database_numbackends)
              / max by (tenant, namespace) (pg_settings_max_connections)"""
_VOLUME = '{persistentvolumeclaim=~"data-.+-postgresql-0"}'

ALERTS = (
    Alert(
        "AirflowDatabaseCpuHigh",
        AREA,
        "P2",
        of_namespace(f"max by (namespace) ({cpu_of('postgresql')}\n) > 0.8")
        + "\nor\n"
        + of_tenant("max by (tenant, namespace) (aws_rds_cpuutilization_average) / 100 > 0.8"),
        "10m",
        "The database of tenant {{ $labels.tenant }} uses {{ $value | humanizePercentage }} of its CPU",
        "Above 80% of its limit, or without a limit of its request, for 10 minutes: the scheduler loop and "
        "the API slow down next.",
        Link("capacity"),
        ("operator", "cAdvisor and kube-state-metrics, or CloudWatch exporter"),
        silent_without="a CPU limit or request of the database's container, or CloudWatch",
    ),
    Alert(
        "AirflowDatabaseConnectionsElevated",
        AREA,
        "P2",
        of_tenant(f"{_CONNECTIONS} > 0.7"),
        "10m",
        "The database of tenant {{ $labels.tenant }} has {{ $value | humanizePercentage }} of its "
        "connections in use",
        "Above 70% it is time for PgBouncer, smaller pools of connections or a larger database.",
        Link("capacity"),
        _PG,
        silent_without=_NAMED,
        inhibited_by=("AirflowDatabaseConnectionsHigh",),
    ),
    Alert(
        "AirflowDatabaseConnectionsHigh",
        AREA,
        "P1",
        of_tenant(
            f"""{_CONNECTIONS} > 0.8
              or
            max by (tenant, namespace) (aws_rds_database_connections_average) / 500 > 0.8
            """
        ),
        "5m",
        "The database of tenant {{ $labels.tenant }} has {{ $value | humanizePercentage }} of its "
        "connections in use",
        "Above 80% (400 of 500): at 100% schedulers and API servers are refused and tasks fail.",
        Link("capacity"),
        _PG,
        silent_without=_NAMED,
    ),
    Alert(
        "AirflowDatabaseStorageLow",
        AREA,
        "P1",
        of_namespace(
            f"""
            max by (namespace) (
              kubelet_volume_stats_available_bytes{_VOLUME} < 10e9
                and
              kubelet_volume_stats_capacity_bytes{_VOLUME} > 50e9
            )
              or
            max by (namespace) (
              kubelet_volume_stats_available_bytes{_VOLUME}
                < 0.1 * (kubelet_volume_stats_capacity_bytes{_VOLUME} <= 50e9)
            )
            """
        )
        + "\nor\n"
        + of_tenant("max by (tenant, namespace) (aws_rds_free_storage_space_average) < 10e9"),
        "10m",
        "The database of tenant {{ $labels.tenant }} has {{ $value | humanize1024 }}B of storage left",
        "Less than 10 GB (of a volume up to 50 GB: less than a tenth). A full database stops the whole "
        "Airflow.",
        Link("capacity"),
        ("operator", "kubelet or CloudWatch exporter"),
    ),
    Alert(
        "AirflowDatabaseLatencyHigh",
        AREA,
        "P2",
        of_tenant(
            """
            quantile_over_time(0.95, (
              sum by (tenant, namespace) (rate(pg_stat_database_blk_read_time[2m]))
                / sum by (tenant, namespace) (rate(pg_stat_database_blks_read[2m]))
            )[10m:1m]) / 1000 > 0.02
              or
            max by (tenant, namespace) (aws_rds_read_latency_p95) > 0.02
              or
            max by (tenant, namespace) (aws_rds_write_latency_p95) > 0.02
            """
        ),
        "10m",
        "The database of tenant {{ $labels.tenant }} answers slowly: {{ $value | humanizeDuration }}",
        "p95 of a read (or, on CloudWatch, a write) is above 20 ms.",
        Link("capacity"),
        _PG,
        silent_without="track_io_timing = on in PostgreSQL, or CloudWatch's p95",
    ),
    Alert(
        "AirflowPgBouncerClientsWaiting",
        AREA,
        "P2",
        of_namespace(
            """
            max by (namespace) (pgbouncer_pools_client_waiting_connections) > 0
              or
            max by (namespace) (pgbouncer_exporter_pools_waiting_clients) > 0
            """
        ),
        "10m",
        "{{ $value }} clients of tenant {{ $labels.tenant }} wait for a database connection",
        "All of PgBouncer's server connections have been taken for 10 minutes.",
        Link("capacity"),
        ("operator", "PgBouncer exporter"),
    ),
)
