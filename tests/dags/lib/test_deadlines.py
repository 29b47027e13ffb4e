"""The deadlines of all DAGs of the library: who is told must be reachable from where the callback runs."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from airflow.sdk import AsyncCallback, BaseNotifier, DeadlineReference
from airflow.sdk.module_loading import import_string
from tests.dags import library


def deadlines() -> list[tuple[str, Any]]:
    found = []
    for dag_id, dag in library.bag().dags.items():
        alerts = dag.deadline if isinstance(dag.deadline, list) else [dag.deadline]
        found += [(dag_id, alert) for alert in alerts if alert is not None]
    return found


@pytest.mark.covers("OP-7")
def test_a_deadline_that_tells_somebody_does_so_from_the_triggerer() -> None:
    """Airflow 3.3.2 answers 403 when a SyncCallback asks for a connection; a notifier needs one."""
    told = [(dag_id, alert, notifier(alert)) for dag_id, alert in deadlines() if notifier(alert)]
    assert {dag_id for dag_id, _, _ in told} >= {"sla_monitored_pipeline", "enterprise_ml_pipeline"}
    for dag_id, alert, kind in told:
        assert isinstance(alert.callback, AsyncCallback), dag_id
        assert kind.async_notify is not BaseNotifier.async_notify, dag_id
        kind(**alert.callback.kwargs)


@pytest.mark.covers("D002-5", "D002-8")
def test_no_deadline_depends_on_a_date_that_a_run_may_lack() -> None:
    wrong = [
        dag_id for dag_id, alert in deadlines() if alert.reference == DeadlineReference.DAGRUN_LOGICAL_DATE
    ]
    assert wrong == []


def notifier(alert: Any) -> Any:
    """The class that the callback makes, None for a function."""
    kind = import_string(alert.callback.path)
    return kind if inspect.isclass(kind) and issubclass(kind, BaseNotifier) else None
