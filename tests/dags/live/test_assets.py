"""What asset events start, in a real scheduler."""

from __future__ import annotations

import pytest

CONSUMER = "phase14_02_dataset_consumer"
PATTERNS = "phase14_03_dataset_patterns"
STOCK = f"{PATTERNS}__child_update_stock"
CLOSE = f"{PATTERNS}__child_close_day"
RETRAIN = f"{PATTERNS}__child_retrain_model"
PUBLISH = f"{PATTERNS}__child_publish_orders"
PROMISED = {"day": "2026-03-02", "rows": 5, "schema_version": 2}


def report(live, name, extra=None):
    """Report a new state of an asset, as somebody without Airflow would."""
    found = live.call("GET", f"/api/v2/assets?name_pattern={name}&only_active=true")["assets"]
    [asset_id] = [asset["id"] for asset in found if asset["name"] == name]
    live.call("POST", "/api/v2/assets/events", {"asset_id": asset_id, "extra": extra or {}})


def run_ids(live, dag_id):
    return {run["dag_run_id"] for run in live.runs(dag_id) if run["run_type"] == "asset_triggered"}


def next_run(live, dag_id, before):
    """The one run that appeared since `before`, after it has ended: its id and state."""
    [run_id] = live.until(lambda: run_ids(live, dag_id) - before)
    return run_id, live.wait(dag_id, run_id)


@pytest.mark.covers("P14.2")
def test_one_event_starts_nothing_and_both_start_exactly_one_run(live):
    live.unpause(CONSUMER)
    live.unpause(STOCK)
    before, stock = run_ids(live, CONSUMER), run_ids(live, STOCK)
    report(live, "orders_table", {"day": "2026-03-02", "rows": 6, "revenue": "476.00"})
    # an event after it starts a run of another DAG: the scheduler has looked at both
    report(live, "orders_clean", PROMISED)
    next_run(live, STOCK, stock)
    assert run_ids(live, CONSUMER) == before
    stock = run_ids(live, STOCK)
    report(live, "fx_rates", {"currency": "EUR", "rate": "0.92"})
    run_id, state = next_run(live, CONSUMER, before)
    assert state == "success"
    assert live.xcom(CONSUMER, run_id, "convert_revenue") == {
        "day": "2026-03-02",
        "currency": "EUR",
        "revenue": "437.92",
    }
    assert live.xcom(CONSUMER, run_id, "read_events")["events"] >= 2
    [run] = [run for run in live.runs(CONSUMER) if run["dag_run_id"] == run_id]
    assert run["logical_date"] is None
    report(live, "orders_clean", PROMISED)
    next_run(live, STOCK, stock)
    assert run_ids(live, CONSUMER) - before == {run_id}


@pytest.mark.covers("P14.3")
@pytest.mark.parametrize("name", ["orders_clean", "refunds_clean"])
def test_the_or_consumer_runs_after_either_asset(live, name):
    live.unpause(PATTERNS)
    before = run_ids(live, PATTERNS)
    report(live, name, PROMISED)
    run_id, state = next_run(live, PATTERNS, before)
    assert state == "success"
    assert live.states(PATTERNS, run_id) == {"check_contract": "success", "compute_revenue": "success"}
    # the first run gets what was reported before the DAG was unpaused, too
    assert live.xcom(PATTERNS, run_id, "check_contract")[name] >= 1


@pytest.mark.covers("P14.3")
@pytest.mark.parametrize("broken", [{"rows": 0}, {"day": None}, {"schema_version": 1}])
def test_a_broken_contract_stops_the_consumer(live, broken):
    live.unpause(PATTERNS)
    before = run_ids(live, PATTERNS)
    report(live, "orders_clean", PROMISED | broken)
    run_id, state = next_run(live, PATTERNS, before)
    assert state == "failed"
    assert live.states(PATTERNS, run_id) == {
        "check_contract": "failed",
        "compute_revenue": "upstream_failed",
    }


@pytest.mark.covers("P14.3")
def test_one_publication_reaches_both_consumers(live):
    live.unpause(PATTERNS)
    live.unpause(STOCK)
    before = run_ids(live, PATTERNS), run_ids(live, STOCK)
    published = live.trigger(PUBLISH)
    assert live.wait(PUBLISH, published) == "success"
    assert next_run(live, PATTERNS, before[0])[1] == "success"
    assert next_run(live, STOCK, before[1])[1] == "success"


@pytest.mark.covers("P14.3")
def test_training_needs_features_and_a_reason(live):
    live.unpause(RETRAIN)
    live.unpause(STOCK)
    before, stock = run_ids(live, RETRAIN), run_ids(live, STOCK)
    report(live, "churn_features")
    report(live, "orders_clean", PROMISED)
    next_run(live, STOCK, stock)
    assert run_ids(live, RETRAIN) == before
    report(live, "churn_drift")
    assert next_run(live, RETRAIN, before)[1] == "success"
