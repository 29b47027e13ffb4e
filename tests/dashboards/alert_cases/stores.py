"""DAGs, database, Redis, data and models."""

from __future__ import annotations

from tests.dashboards.alert_cases.case import Case, Fires, Silent, appears, rising, steady

_GIT = 'git_sync_count_total{T,pod="payments-dag-processor-1",container="git-sync-main",status='
_GIT_LABELS = {"pod": "payments-dag-processor-1", "container": "git-sync-main"}
_PENDING = "airflow_tenant_dags_revision_pending_since_timestamp_seconds{T}"
_DAG = {"dag_id": "settle"}
_FAILED = 'airflow_dagrun_duration_failed_count{T,dag_id="settle",run_type="scheduled"}'
_MISSED = 'airflow_deadline_alerts_deadline_missed{T,dag_id="settle",dagrun_id="'
_LIMIT = 'airflow_tenant_dag_duration_limit_seconds{T,dag_id="settle"}'
_BACKENDS, _MAX = "pg_stat_database_numbackends{T,datname=", "pg_settings_max_connections{T}"
_FREE, _SIZE = (
    f'kubelet_volume_stats_{kind}_bytes{{N,persistentvolumeclaim="data-payments-postgresql-0"}}'
    for kind in ("available", "capacity")
)
_REDIS = 'redis_{0}{{T,instance="redis:9121"}}'
_ON_REDIS = {"instance": "redis:9121"}


def _runs(outcome: str, seconds: float, count: int = 1) -> dict[str, str]:
    name = f"airflow_dagrun_duration_{outcome}"
    labels = '{T,dag_id="settle",run_type="scheduled"}'
    return {
        f"{name}_sum{labels}": appears(40, seconds * count),
        f"{name}_count{labels}": appears(40, count),
        _LIMIT: steady(1800),
    }


def _database_cpu(percent: int) -> dict[str, str]:
    labels = '{N,pod="payments-postgresql-0",container="postgresql"'
    used, limit = f"container_cpu_usage_seconds_total{labels}}}", "kube_pod_container_resource_limits"
    return {used: rising(percent * 60 / 100), f'{limit}{labels},resource="cpu"}}': steady(1)}


def _connections(used: int) -> dict[str, str]:
    return {
        _BACKENDS + '"airflow"}': steady(used - 1),
        _BACKENDS + '"postgres"}': steady(1),
        _MAX: steady(500),
    }


def _reads(milliseconds: float) -> dict[str, str]:
    return {
        'pg_stat_database_blk_read_time{T,datname="airflow"}': rising(milliseconds * 10),
        'pg_stat_database_blks_read{T,datname="airflow"}': rising(10),
    }


def _redis(**values: str) -> dict[str, str]:
    return {_REDIS.format(name): value for name, value in values.items()}


def _memory(used: int, limit: int) -> dict[str, str]:
    return _redis(memory_used_bytes=steady(used), memory_max_bytes=steady(limit))


def _model(**values: float) -> dict[str, str]:
    return {f'airflow_model_{name}{{T,model="rent"}}': f"{value}x5" for name, value in values.items()}


def _view(watermark: float, ttl: float) -> dict[str, str]:
    return {
        'airflow_features_watermark_timestamp_seconds{T,view="orders"}': f"{watermark}x5",
        'airflow_features_ttl_seconds{T,view="orders"}': f"{ttl}x5",
    }


def _psi(value: float) -> dict[str, str]:
    return {
        'airflow_drift_psi{T,dataset="orders",column="amount"}': f"{value}x5",
        'airflow_drift_psi_limit{T,dataset="orders"}': "0.25x5",
    }


CASES: tuple[Case, ...] = (
    Fires(
        "AirflowDagImportErrors",
        "1 file",
        0,
        {'airflow_dag_processing_import_errors{T,instance="x"}': steady(1)},
        shown="1",
    ),
    Silent(
        "AirflowDagImportErrors", "none", {'airflow_dag_processing_import_errors{T,instance="x"}': steady(0)}
    ),
    Fires(
        "AirflowDagBagShrunk", "from 100 to 79", 61, {"airflow_dagbag_size{T}": "100x60 79x300"}, shown="79"
    ),
    Silent("AirflowDagBagShrunk", "from 100 to 80", {"airflow_dagbag_size{T}": "100x60 80x300"}, at=90),
    Silent("AirflowDagBagShrunk", "7 hours ago", {"airflow_dagbag_size{T}": "100x10 50x600"}, at=430),
    Fires(
        "AirflowGitSyncFailing",
        "only errors",
        34,
        {_GIT + '"success"}': "0+1x20 20x300", _GIT + '"error"}': "0x20 0+1x300"},
        labels=_GIT_LABELS,
    ),
    Silent(
        "AirflowGitSyncFailing", "nothing new", {_GIT + '"noop"}': rising(1), _GIT + '"error"}': rising(1)}
    ),
    Silent(
        "AirflowGitSyncFailing",
        "its first success",
        {_GIT + '"success"}': appears(40, 1), _GIT + '"error"}': rising(1)},
    ),
    Silent(
        "AirflowGitSyncFailing",
        "errors of long ago",
        {_GIT + '"success"}': steady(4), _GIT + '"error"}': steady(9)},
    ),
    Fires("AirflowDagsRevisionBehind", "30 minutes", 41, {_PENDING: steady(600)}, shown="36m 0s"),
    Silent("AirflowDagsRevisionBehind", "nothing is pending", {_PENDING: steady(0)}),
    Silent("AirflowDagsRevisionBehind", "29 minutes", {_PENDING: "0+60x400"}, at=120),
    Fires(
        "AirflowDagRunFailed", "the first failure ever", 20, {_FAILED: appears(20, 1)}, shown="1", labels=_DAG
    ),
    Silent("AirflowDagRunFailed", "failures of long ago", {_FAILED: steady(3)}),
    Fires(
        "AirflowDeadlineMissed",
        "one more run, its own series",
        20,
        {_MISSED + 'a"}': steady(1), _MISSED + 'b"}': appears(20, 1)},
        shown="1",
        labels=_DAG,
    ),
    Silent("AirflowDeadlineMissed", "misses of long ago", {_MISSED + 'a"}': steady(1)}),
    Fires(
        "AirflowDagRunDurationAboveLimit",
        "two runs, 1900 s on average",
        40,
        _runs("success", 1900, 2),
        shown="31m 40s",
        labels=_DAG,
    ),
    Fires(
        "AirflowDagRunDurationAboveLimit", "failed", 40, _runs("failed", 1900), shown="31m 40s", labels=_DAG
    ),
    Silent("AirflowDagRunDurationAboveLimit", "exactly 1800 s", _runs("success", 1800, 2), at=45),
    Silent("AirflowDagRunDurationAboveLimit", "failed at 1800 s", _runs("failed", 1800), at=45),
    Silent(
        "AirflowDagRunDurationAboveLimit",
        "no limit",
        {n: v for n, v in _runs("success", 9e3).items() if n != _LIMIT},
        at=45,
    ),
    Fires("AirflowDatabaseCpuHigh", "85% in the cluster", 5, _database_cpu(85), shown="85%"),
    Fires(
        "AirflowDatabaseCpuHigh",
        "85% on RDS",
        0,
        {"aws_rds_cpuutilization_average{T}": steady(85)},
        shown="85%",
    ),
    Silent(
        "AirflowDatabaseCpuHigh",
        "80% and 80%",
        {**_database_cpu(80), "aws_rds_cpuutilization_average{T}": steady(80)},
    ),
    Fires("AirflowDatabaseConnectionsElevated", "351 of 500", 0, _connections(351), shown="70.2%"),
    Silent("AirflowDatabaseConnectionsElevated", "350 of 500", _connections(350)),
    Fires("AirflowDatabaseConnectionsHigh", "401 of 500", 0, _connections(401), shown="80.2%"),
    Fires(
        "AirflowDatabaseConnectionsHigh",
        "401 on RDS",
        0,
        {"aws_rds_database_connections_average{T}": steady(401)},
        shown="80.2%",
    ),
    Silent("AirflowDatabaseConnectionsHigh", "400 of 500", _connections(400)),
    Silent(
        "AirflowDatabaseConnectionsHigh",
        "400 on RDS",
        {"aws_rds_database_connections_average{T}": steady(400)},
    ),
    Fires(
        "AirflowDatabaseStorageLow", "9.9 GB of 60", 0, {_FREE: steady(9.9e9), _SIZE: steady(60e9)}, "9.22Gi"
    ),
    Fires("AirflowDatabaseStorageLow", "0.7 GB of 8", 0, {_FREE: steady(7e8), _SIZE: steady(8e9)}, "667.6Mi"),
    Fires(
        "AirflowDatabaseStorageLow", "4.9 GB of 50", 0, {_FREE: steady(4.9e9), _SIZE: steady(50e9)}, "4.563Gi"
    ),
    Fires(
        "AirflowDatabaseStorageLow",
        "9.9 GB on RDS",
        0,
        {"aws_rds_free_storage_space_average{T}": steady(9.9e9)},
        shown="9.22Gi",
    ),
    Silent("AirflowDatabaseStorageLow", "10 GB of 60", {_FREE: steady(10e9), _SIZE: steady(60e9)}),
    Silent("AirflowDatabaseStorageLow", "19 GB of 200", {_FREE: steady(19e9), _SIZE: steady(200e9)}),
    Silent("AirflowDatabaseStorageLow", "0.8 GB of 8", {_FREE: steady(8e8), _SIZE: steady(8e9)}),
    Silent("AirflowDatabaseStorageLow", "9 GB of 50", {_FREE: steady(9e9), _SIZE: steady(50e9)}),
    Silent(
        "AirflowDatabaseStorageLow", "10 GB on RDS", {"aws_rds_free_storage_space_average{T}": steady(10e9)}
    ),
    Fires("AirflowDatabaseLatencyHigh", "a read takes 22 ms", 1, _reads(22), shown="22ms"),
    Fires(
        "AirflowDatabaseLatencyHigh",
        "22 ms on RDS",
        0,
        {"aws_rds_read_latency_p95{T}": steady(0.022)},
        shown="22ms",
    ),
    Fires(
        "AirflowDatabaseLatencyHigh",
        "22 ms to write",
        0,
        {"aws_rds_write_latency_p95{T}": steady(0.022)},
        shown="22ms",
    ),
    Silent(
        "AirflowDatabaseLatencyHigh",
        "19 ms",
        {
            **_reads(19),
            "aws_rds_read_latency_p95{T}": steady(0.02),
            "aws_rds_write_latency_p95{T}": steady(0.02),
        },
    ),
    *(
        case
        for metric in (
            "pgbouncer_pools_client_waiting_connections",
            "pgbouncer_exporter_pools_waiting_clients",
        )
        for case in (
            Fires(
                "AirflowPgBouncerClientsWaiting",
                metric,
                0,
                {metric + '{N,database="a"}': steady(1)},
                shown="1",
            ),
            Silent(
                "AirflowPgBouncerClientsWaiting", f"{metric} is 0", {metric + '{N,database="a"}': steady(0)}
            ),
        )
    ),
    Fires(
        "AirflowRedisCpuHigh",
        "80%",
        5,
        _redis(cpu_sys_seconds_total=rising(24), cpu_user_seconds_total=rising(24)),
        shown="80%",
        labels=_ON_REDIS,
    ),
    Silent(
        "AirflowRedisCpuHigh",
        "75%",
        _redis(cpu_sys_seconds_total=rising(22.5), cpu_user_seconds_total=rising(22.5)),
    ),
    Fires("AirflowRedisMemoryElevated", "71%", 0, _memory(71, 100), shown="71%", labels=_ON_REDIS),
    Silent("AirflowRedisMemoryElevated", "70%", _memory(70, 100)),
    Silent("AirflowRedisMemoryElevated", "no limit", _memory(70, 0)),
    Fires("AirflowRedisMemoryHigh", "81%", 0, _memory(81, 100), shown="81%", labels=_ON_REDIS),
    Silent("AirflowRedisMemoryHigh", "80%", _memory(80, 100)),
    Silent("AirflowRedisMemoryHigh", "no limit", _memory(80, 0)),
    Fires(
        "AirflowRedisEvictions",
        "one",
        22,
        _redis(evicted_keys_total="0x20 0+1x300"),
        shown="1",
        labels=_ON_REDIS,
    ),
    Silent("AirflowRedisEvictions", "none any more", _redis(evicted_keys_total=steady(7))),
    Fires("AirflowRedisEvictionsHigh", "1050", 5, _redis(evicted_keys_total=rising(210)), "1.05k", _ON_REDIS),
    Silent("AirflowRedisEvictionsHigh", "1000", _redis(evicted_keys_total=rising(200))),
    Fires("AirflowFeatureViewStale", "over an hour", 71, _view(600, 3600), "1h 16m 0s", {"view": "orders"}),
    Silent("AirflowFeatureViewStale", "less than the view allows", _view(600, 5000), at=90),
    Fires("AirflowDataDrift", "0.3", 0, _psi(0.3), "0.30", {"dataset": "orders", "column": "amount"}),
    Silent("AirflowDataDrift", "0.25, the limit", _psi(0.25)),
    Silent(
        "AirflowDataDrift",
        "it was drift before the exporter's restart",
        {**_psi(0.3), 'airflow_drift_psi{T,dataset="orders",column="amount",pod="b"}': "_x30 0.1x5"},
        at=33,
    ),
    Fires(
        "AirflowModelDrift",
        "6% less",
        0,
        _model(accuracy=0.84, accuracy_baseline=0.9),
        "6%",
        {"model": "rent"},
    ),
    Fires(
        "AirflowModelDrift",
        "it was better before the exporter's restart",
        390,
        {
            'airflow_model_accuracy{T,model="rent",pod="a"}': "0.95x3 stale",
            'airflow_model_accuracy{T,model="rent",pod="b"}': "_x390 0.84x5",
            'airflow_model_accuracy_baseline{T,model="rent"}': "_x390 0.9x5",
        },
        "6%",
        {"model": "rent"},
    ),
    Silent("AirflowModelDrift", "4% less", _model(accuracy=0.86, accuracy_baseline=0.9)),
    Silent("AirflowModelDrift", "5% less", _model(accuracy=0, accuracy_baseline=0.05)),
    Fires("AirflowModelBias", "12%", 0, _model(bias=0.12, bias_limit=0.1), "12%", {"model": "rent"}),
    Silent("AirflowModelBias", "10%, the limit", _model(bias=0.1, bias_limit=0.1)),
)
