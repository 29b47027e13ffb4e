"""What Airflow recorded about assets."""

from __future__ import annotations

from tests.dags.library import bag


def events_of(run_id):
    """Asset name -> (URI, extra, task) of the events that a run caused."""
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        query = select(AssetEvent, AssetModel).join(AssetModel, AssetModel.id == AssetEvent.asset_id)
        rows = session.execute(query.where(AssetEvent.source_run_id == run_id)).all()
        return {asset.name: (asset.uri, event.extra, event.source_task_id) for event, asset in rows}


def condition(dag_id):
    """The DAG's condition on assets as Airflow stores it."""
    from airflow.serialization.encoders import coerce_to_core_timetable

    timetable = coerce_to_core_timetable(bag().dags[dag_id].timetable)
    return timetable.asset_condition.as_expression()
