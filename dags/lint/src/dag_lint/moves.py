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
    "airflow.providers.http.operators.http.SimpleHttpOperator": "HttpOperator of the same module",
    "airflow.models.SlaMiss": "DeadlineAlert of airflow.sdk",
    "airflow.models.slamiss": "DeadlineAlert of airflow.sdk",
    "airflow.AirflowException": "airflow.sdk.exceptions.AirflowException",
}

OLD_PROVIDER_MODULE = r"airflow\.(operators|sensors|hooks)\.\w+_(operator|sensor|hook)s?$"


def removed_hint(module: str, name: str) -> str | None:
    """What replaces an import that fails on Airflow 3, or None."""
    parts = f"{module}.{name}".split(".")
    for end in range(len(parts), 0, -1):
        found = REMOVED.get(".".join(parts[:end]))
        if found is not None:
            return found
    return None
