"""Conditions on assets, and the contract between the teams."""

from __future__ import annotations

import pytest
from tests.dags.library import bag
from tests.dags.phase14.events import condition, events_of
from tests.dags.runner import run

DAG_ID = "phase14_03_dataset_patterns"
PUBLISH = f"{DAG_ID}__child_publish_orders"


def names(expression):
    """A condition with names in place of assets."""
    if "asset" in expression:
        return expression["asset"]["name"]
    [(operator, parts)] = expression.items()
    return {operator: [names(part) for part in parts]}


@pytest.mark.covers("P14.3")
@pytest.mark.parametrize(
    ("dag_id", "tree"),
    [
        (DAG_ID, {"any": ["orders_clean", "refunds_clean"]}),
        (f"{DAG_ID}__child_update_stock", {"all": ["orders_clean"]}),
        (f"{DAG_ID}__child_close_day", {"all": ["orders_clean", "refunds_clean"]}),
        (
            f"{DAG_ID}__child_retrain_model",
            {"all": ["churn_features", {"any": ["churn_drift", "churn_labels"]}]},
        ),
        (f"{DAG_ID}__child_import_prices", {"all": ["partner_prices"]}),
    ],
)
def test_the_condition_tree(dag_id, tree):
    assert names(condition(dag_id)) == tree


@pytest.mark.covers("P14.3")
def test_the_day_closes_by_time_too():
    timetable = bag().dags[f"{DAG_ID}__child_close_day"].timetable
    assert type(timetable).__name__ == "AssetOrTimeSchedule"
    assert timetable.timetable.expression == "0 22 * * *"


@pytest.mark.covers("P14.3")
def test_a_watcher_stands_behind_the_partners_prices():
    [asset] = bag().dags[f"{DAG_ID}__child_import_prices"].timetable.asset_condition.objects
    [watcher] = asset.watchers
    assert watcher.name == "prices_delivered"
    path, arguments = watcher.trigger.serialize()
    assert path == "airflow.providers.standard.triggers.file.FileDeleteTrigger"
    assert arguments == {"filepath": "/data/inbox/prices.done", "poke_interval": 60}


@pytest.mark.covers("P14.3")
def test_only_the_owners_events_count():
    [orders] = [outlet for task in bag().dags[PUBLISH].tasks for outlet in task.outlets]
    assert orders.name == "orders_clean"
    assert orders.access_control.producer_teams == ["data_engineering"]


@pytest.mark.covers("P14.3")
def test_what_keeps_the_contract_is_published():
    done = run(PUBLISH, conf={"rows": 3})
    assert done.state == "success"
    [(_, extra, _)] = events_of(done.run_id).values()
    day = done.logical_date.strftime("%Y-%m-%d")
    assert extra == {"day": day, "rows": 3, "schema_version": 2}


@pytest.mark.covers("P14.3")
def test_what_breaks_the_contract_is_not_published():
    done = run(PUBLISH, conf={"rows": 0})
    assert done.states == {"publish_orders": "failed"}
    assert done.tries("publish_orders") == 1
    assert events_of(done.run_id) == {}
