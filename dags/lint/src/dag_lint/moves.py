"""Where names of Airflow 2 live in Airflow 3.3: the moves that are certain, and the modules that are gone."""

from __future__ import annotations

_S = "airflow.providers.standard."
_SDK = "airflow.sdk"
_K8S = "airflow.providers.cncf.kubernetes.operators."

_PYTHON = (
    "PythonOperator", "BranchPythonOperator", "ShortCircuitOperator", "PythonVirtualenvOperator",
    "ExternalPythonOperator", "BranchPythonVirtualenvOperator", "BranchExternalPythonOperator",
)  # fmt: skip
_EXCEPTIONS = (
    "AirflowException", "AirflowSkipException", "AirflowFailException", "AirflowSensorTimeout",
    "AirflowTaskTimeout", "TaskDeferred", "AirflowNotFoundException",
)  # fmt: skip

# old module -> names -> new module
_MOVED: dict[str, tuple[tuple[str, ...], str]] = {
    "airflow.operators.bash": (("BashOperator",), _S + "operators.bash"),
    "airflow.operators.bash_operator": (("BashOperator",), _S + "operators.bash"),
    "airflow.operators.python": (_PYTHON, _S + "operators.python"),
    "airflow.operators.python_operator": (_PYTHON, _S + "operators.python"),
    "airflow.operators.empty": (("EmptyOperator",), _S + "operators.empty"),
    "airflow.operators.trigger_dagrun": (("TriggerDagRunOperator",), _S + "operators.trigger_dagrun"),
    "airflow.operators.dagrun_operator": (("TriggerDagRunOperator",), _S + "operators.trigger_dagrun"),
    "airflow.operators.latest_only": (("LatestOnlyOperator",), _S + "operators.latest_only"),
    "airflow.operators.latest_only_operator": (("LatestOnlyOperator",), _S + "operators.latest_only"),
    "airflow.operators.datetime": (("BranchDateTimeOperator",), _S + "operators.datetime"),
    "airflow.operators.weekday": (("BranchDayOfWeekOperator",), _S + "operators.weekday"),
    "airflow.operators.branch": (("BaseBranchOperator",), _SDK),
    "airflow.operators.email": (("EmailOperator",), "airflow.providers.smtp.operators.smtp"),
    "airflow.operators.email_operator": (("EmailOperator",), "airflow.providers.smtp.operators.smtp"),
    "airflow.sensors.external_task": (
        ("ExternalTaskSensor", "ExternalTaskMarker"),
        _S + "sensors.external_task",
    ),
    "airflow.sensors.external_task_sensor": (("ExternalTaskSensor",), _S + "sensors.external_task"),
    "airflow.sensors.python": (("PythonSensor",), _S + "sensors.python"),
    "airflow.sensors.filesystem": (("FileSensor",), _S + "sensors.filesystem"),
    "airflow.contrib.sensors.file_sensor": (("FileSensor",), _S + "sensors.filesystem"),
    "airflow.sensors.bash": (("BashSensor",), _S + "sensors.bash"),
    "airflow.sensors.date_time": (("DateTimeSensor",), _S + "sensors.date_time"),
    "airflow.sensors.time_sensor": (("TimeSensor",), _S + "sensors.time"),
    "airflow.sensors.time_delta": (("TimeDeltaSensor",), _S + "sensors.time_delta"),
    "airflow.sensors.weekday": (("DayOfWeekSensor",), _S + "sensors.weekday"),
    "airflow.sensors.base": (("BaseSensorOperator", "PokeReturnValue"), _SDK),
    "airflow.sensors.base_sensor_operator": (("BaseSensorOperator",), _SDK),
    "airflow.hooks.base": (("BaseHook",), _SDK),
    "airflow.hooks.base_hook": (("BaseHook",), _SDK),
    "airflow.hooks.filesystem": (("FSHook",), _S + "hooks.filesystem"),
    "airflow.hooks.subprocess": (("SubprocessHook",), _S + "hooks.subprocess"),
    "airflow.decorators": (("dag", "task", "task_group", "setup", "teardown"), _SDK),
    "airflow.models.dag": (("DAG",), _SDK),
    "airflow.models.baseoperator": (("BaseOperator", "chain", "chain_linear", "cross_downstream"), _SDK),
    "airflow.models.param": (("Param", "ParamsDict"), _SDK),
    "airflow.models.variable": (("Variable",), _SDK),
    "airflow.models.connection": (("Connection",), _SDK),
    "airflow.models.xcom_arg": (("XComArg",), _SDK),
    "airflow.models": (("Variable", "Connection", "BaseOperator", "DAG", "Param"), _SDK),
    "airflow": (("DAG",), _SDK),
    "airflow.utils.trigger_rule": (("TriggerRule",), _SDK),
    "airflow.utils.weight_rule": (("WeightRule",), _SDK),
    "airflow.utils.context": (("Context",), _SDK),
    "airflow.utils.task_group": (("TaskGroup",), _SDK),
    "airflow.utils.edgemodifier": (("Label", "EdgeModifier"), _SDK),
    "airflow.utils.helpers": (("chain", "cross_downstream"), _SDK),
    "airflow.io.path": (("ObjectStoragePath",), _SDK),
    "airflow.notifications.basenotifier": (("BaseNotifier",), _SDK),
    "airflow.exceptions": (_EXCEPTIONS, "airflow.sdk.exceptions"),
    "airflow.models.dagbag": (("DagBag",), "airflow.dag_processing.dagbag"),
}

MOVES: dict[tuple[str, str], tuple[str, str]] = {
    (old, name): (new, name) for old, (names, new) in _MOVED.items() for name in names
}
MOVES |= {
    ("airflow.operators.dummy", "DummyOperator"): (_S + "operators.empty", "EmptyOperator"),
    ("airflow.operators.dummy_operator", "DummyOperator"): (_S + "operators.empty", "EmptyOperator"),
    ("airflow.operators.dummy", "EmptyOperator"): (_S + "operators.empty", "EmptyOperator"),
    ("airflow.operators.python", "get_current_context"): (_SDK, "get_current_context"),
    ("airflow.datasets", "Dataset"): (_SDK, "Asset"),
    ("airflow.datasets", "DatasetAlias"): (_SDK, "AssetAlias"),
    ("airflow", "Dataset"): (_SDK, "Asset"),
    ("airflow.datasets.metadata", "Metadata"): (_SDK, "Metadata"),
    ("airflow.timetables.datasets", "DatasetOrTimeSchedule"): (_SDK, "AssetOrTimeSchedule"),
    ("airflow.timetables.interval", "CronDataIntervalTimetable"): (_SDK, "CronDataIntervalTimetable"),
    ("airflow.timetables.trigger", "CronTriggerTimetable"): (_SDK, "CronTriggerTimetable"),
}
MOVES |= {
    (_K8S + "kubernetes_pod", "KubernetesPodOperator"): (_K8S + "pod", "KubernetesPodOperator"),
    ("airflow.providers.http.operators.http", "SimpleHttpOperator"): (
        "airflow.providers.http.operators.http",
        "HttpOperator",
    ),
}
MOVES |= {
    ("airflow.triggers.temporal", name): (_S + "triggers.temporal", name)
    for name in ("TimeDeltaTrigger", "DateTimeTrigger")
}  # fmt: skip

# Imports that still work in 3.3 (with a warning, or none); the others fail.
STILL_WORKS = {
    "airflow", "airflow.models", "airflow.models.dag", "airflow.decorators", "airflow.operators.python",
    "airflow.operators.bash", "airflow.operators.empty", "airflow.operators.trigger_dagrun",
    "airflow.operators.latest_only", "airflow.operators.datetime", "airflow.operators.weekday",
    "airflow.operators.branch", "airflow.operators.email", "airflow.sensors.external_task",
    "airflow.sensors.python", "airflow.sensors.filesystem", "airflow.sensors.bash",
    "airflow.sensors.date_time", "airflow.sensors.time_delta", "airflow.sensors.time_sensor",
    "airflow.sensors.weekday", "airflow.sensors.base", "airflow.hooks.base", "airflow.hooks.filesystem",
    "airflow.hooks.subprocess", "airflow.models.baseoperator", "airflow.models.param",
    "airflow.models.variable", "airflow.models.connection", "airflow.models.xcom_arg",
    "airflow.utils.trigger_rule", "airflow.utils.weight_rule", "airflow.utils.context",
    "airflow.utils.task_group", "airflow.utils.edgemodifier", "airflow.io.path",
    "airflow.notifications.basenotifier", "airflow.exceptions", "airflow.models.dagbag",
    "airflow.triggers.temporal", "airflow.timetables.interval", "airflow.timetables.trigger",
}  # fmt: skip

REMOVED = {
    "airflow.contrib": "the provider packages",
    "airflow.operators.subdag": "TaskGroup or assets",
    "airflow.operators.subdag_operator": "TaskGroup or assets",
    "airflow.utils.dates": "pendulum, with a fixed start_date",
    "airflow.utils.apply_defaults": "nothing; operators need no apply_defaults",
    "airflow.kubernetes": "airflow.providers.cncf.kubernetes",
    "airflow.datasets": "airflow.sdk.Asset and its kin",
    "airflow.timetables.datasets": "airflow.sdk.AssetOrTimeSchedule",
    _K8S + "kubernetes_pod": _K8S + "pod",
    "airflow.models.SlaMiss": "DeadlineAlert of airflow.sdk",
    "airflow.models.slamiss": "DeadlineAlert of airflow.sdk",
    "airflow.AirflowException": "airflow.sdk.exceptions.AirflowException",
}

_SQL = "SQLExecuteQueryOperator of airflow.providers.common.sql.operators.sql"
_GCP = "airflow.providers.google.cloud."
_AWS = "airflow.providers.amazon.aws."
_SPARK = "airflow.providers.apache.spark."
# Modules of Airflow 1.10, and operators that their providers have dropped since.
REMOVED |= {
    "airflow.operators.http_operator": "HttpOperator of airflow.providers.http.operators.http",
    "airflow.sensors.http_sensor": "airflow.providers.http.sensors.http",
    "airflow.sensors.s3_key_sensor": _AWS + "sensors.s3",
    "airflow.sensors.sql_sensor": "airflow.providers.common.sql.sensors.sql",
    "airflow.hooks.http_hook": "airflow.providers.http.hooks.http",
    "airflow.hooks.S3_hook": _AWS + "hooks.s3",
    "airflow.hooks.postgres_hook": "airflow.providers.postgres.hooks.postgres",
    "airflow.hooks.mysql_hook": "airflow.providers.mysql.hooks.mysql",
    "airflow.hooks.hive_hooks": "airflow.providers.apache.hive.hooks.hive",
    "airflow.operators.hive_operator": "airflow.providers.apache.hive.operators.hive",
    "airflow.operators.papermill_operator": "airflow.providers.papermill.operators.papermill",
    "airflow.operators.slack_operator": "airflow.providers.slack.operators.slack",
    "airflow.operators.docker_operator": "airflow.providers.docker.operators.docker",
    "airflow.contrib.operators.kubernetes_pod_operator": _K8S + "pod",
    "airflow.contrib.operators.bigquery_operator": f"BigQueryInsertJobOperator of {_GCP}operators.bigquery",
    "airflow.contrib.operators.gcs_to_bq": _GCP + "transfers.gcs_to_bigquery",
    "airflow.contrib.operators.dataproc_operator": _GCP + "operators.dataproc",
    "airflow.contrib.hooks.bigquery_hook": _GCP + "hooks.bigquery",
    "airflow.contrib.hooks.gcs_hook": _GCP + "hooks.gcs",
    "airflow.contrib.hooks.aws_hook": _AWS + "hooks.base_aws",
    "airflow.contrib.operators.spark_submit_operator": _SPARK + "operators.spark_submit",
    "airflow.contrib.operators.databricks_operator": "airflow.providers.databricks.operators.databricks",
    "airflow.contrib.operators.ssh_operator": "airflow.providers.ssh.operators.ssh",
    "airflow.contrib.hooks.ssh_hook": "airflow.providers.ssh.hooks.ssh",
    "airflow.contrib.operators.slack_webhook_operator": "airflow.providers.slack.operators.slack_webhook",
    "airflow.contrib.operators.snowflake_operator": _SQL,
    "airflow.contrib.operators.emr_create_job_flow_operator": _AWS + "operators.emr",
    "airflow.contrib.operators.emr_add_steps_operator": _AWS + "operators.emr",
    "airflow.contrib.operators.emr_terminate_job_flow_operator": _AWS + "operators.emr",
    "airflow.contrib.sensors.emr_step_sensor": _AWS + "sensors.emr",
    "airflow.contrib.sensors.emr_job_flow_sensor": _AWS + "sensors.emr",
    _GCP + "operators.bigquery.BigQueryExecuteQueryOperator": "BigQueryInsertJobOperator of the same module",
    "airflow.providers.snowflake.operators.snowflake.SnowflakeOperator": _SQL,
}
for _name in ("postgres", "mysql", "sqlite", "mssql", "jdbc", "oracle"):
    REMOVED[f"airflow.operators.{_name}_operator"] = _SQL
for _name, _class in {
    "postgres": "PostgresOperator",
    "mysql": "MySqlOperator",
    "sqlite": "SqliteOperator",
    "mssql": "MsSqlOperator",
}.items():
    provider = "microsoft.mssql" if _name == "mssql" else _name
    REMOVED[f"airflow.providers.{provider}.operators.{_name}.{_class}"] = _SQL

OLD_PROVIDER_MODULE = r"airflow\.(operators|sensors|hooks)\.\w+_(operator|sensor|hook)s?$"


def moved_module(module: str) -> str | None:
    """Where the names of a module have gone, when all went to the same place."""
    places = {new for (old, _), (new, _) in MOVES.items() if old == module}
    return places.pop() if len(places) == 1 else None


def removed_hint(module: str, name: str) -> str | None:
    """What replaces an import that fails on Airflow 3, or None."""
    parts = f"{module}.{name}".split(".")
    for end in range(len(parts), 0, -1):
        found = REMOVED.get(".".join(parts[:end]))
        if found is not None:
            return found
    return None
