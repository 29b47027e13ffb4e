"""The same data raises no alert; shifted data does, with its drift score."""

from __future__ import annotations

import random

import pytest
from tests.dags.library import bag
from tests.dags.runner import run

DAG_ID = "phase10_03_data_profiling"
ALWAYS = {"profile_baseline", "profile_current", "measure_drift", "choose_outcome"}


def orders(folder, name, seed, shift=0.0, rows=500):
    numbers = random.Random(seed)  # noqa: S311 - sample data
    file = folder / name
    lines = [f"{numbers.gauss(50 + shift, 10):.2f},{numbers.randint(1, 5)}" for _ in range(rows)]
    file.write_text("amount,items\n" + "\n".join(lines) + "\n")
    return str(file)


@pytest.fixture
def alerts(httpserver, http_connection):
    httpserver.expect_request("/alerts", method="POST").respond_with_json({"ok": True})
    http_connection("data_quality_alerts")
    return lambda: [request.get_json() for request, _ in httpserver.log]


def keys(httpserver):
    """By these the receiver knows that two requests are one alert."""
    return [request.headers.get("Idempotency-Key") for request, _ in httpserver.log]


@pytest.mark.covers("P10.3")
@pytest.mark.parametrize("other_seed", [1, 2])
def test_data_of_the_same_distribution_raises_no_alert(tmp_path, alerts, other_seed):
    conf = {
        "baseline_path": orders(tmp_path, "baseline.csv", 1),
        "current_path": orders(tmp_path, "today.csv", other_seed),
    }
    done = run(DAG_ID, conf=conf)
    assert done.of("success") == ALWAYS | {"accept_data"}
    assert done.of("skipped") == {"send_alert"}
    score = done.xcom("measure_drift", "drift_score")
    assert score == 0.0 if other_seed == 1 else 0 < score < 0.25
    assert alerts() == []


@pytest.mark.covers("P10.3")
def test_shifted_data_sends_one_alert_with_the_columns_that_moved(tmp_path, alerts, httpserver):
    conf = {
        "baseline_path": orders(tmp_path, "baseline.csv", 1),
        "current_path": orders(tmp_path, "today.csv", 2, shift=15),
    }
    done = run(DAG_ID, conf=conf)
    assert done.state == "success"
    assert done.of("success") == ALWAYS | {"send_alert"}
    assert done.of("skipped") == {"accept_data"}
    limit = bag().dags[DAG_ID].params["psi_limit"]
    assert done.xcom("measure_drift", "drift_score") > limit == 0.25
    assert done.xcom("send_alert") == ["amount"]
    (alert,) = alerts()
    assert (alert["dag_id"], alert["run_id"]) == (DAG_ID, done.run_id)
    assert set(alert["columns"]) == {"amount"}
    assert keys(httpserver) == [done.run_id]
    moved = alert["columns"]["amount"]
    assert moved["psi"] == done.xcom("measure_drift", "drift_score")
    assert moved["mean_after"] - moved["mean_before"] == pytest.approx(15, abs=2)


def test_the_limit_is_a_param(tmp_path, alerts):
    conf = {
        "baseline_path": orders(tmp_path, "baseline.csv", 1),
        "current_path": orders(tmp_path, "today.csv", 2, shift=15),
        "psi_limit": 100,
    }
    assert run(DAG_ID, conf=conf).of("skipped") == {"send_alert"}
    assert alerts() == []


def test_a_channel_that_is_down_fails_the_alert_after_its_retries(tmp_path, httpserver, http_connection):
    httpserver.expect_request("/alerts").respond_with_data("", status=503)
    http_connection("data_quality_alerts")
    conf = {
        "baseline_path": orders(tmp_path, "baseline.csv", 1),
        "current_path": orders(tmp_path, "today.csv", 2, shift=15),
    }
    done = run(DAG_ID, conf=conf)
    assert done.state == "failed"
    assert len(httpserver.log) == done.tries("send_alert") == 3
    assert keys(httpserver) == [done.run_id] * 3


@pytest.mark.covers("G-17", "A-24")
def test_the_drift_of_each_column_leaves_as_a_metric_beside_its_limit(tmp_path, alerts, datagrams):
    conf = {
        "baseline_path": orders(tmp_path, "baseline.csv", 1),
        "current_path": orders(tmp_path, "today.csv", 2, shift=15),
    }
    done = run(DAG_ID, conf=conf)
    ours = dict(line.split(":") for line in datagrams() if line.startswith("airflow.drift."))
    found = {name: float(value.removesuffix("|g")) for name, value in ours.items()}
    measured = done.xcom("measure_drift")
    assert found == pytest.approx(
        {
            "airflow.drift.psi_limit,dataset=today": 0.25,
            "airflow.drift.psi,dataset=today,column=amount": measured["amount"]["psi"],
            "airflow.drift.psi,dataset=today,column=items": measured["items"]["psi"],
            "airflow.drift.ks,dataset=today,column=amount": measured["amount"]["ks"],
            "airflow.drift.ks,dataset=today,column=items": measured["items"]["ks"],
        }
    )
    assert found["airflow.drift.psi,dataset=today,column=amount"] > 0.25
