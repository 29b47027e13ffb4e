"""What leaves over StatsD, and what the Pushgateway gets.

The Pushgateway's contract (github.com/prometheus/pushgateway, "API"): PUT /metrics/job/<job>, a body in the
text format that ends with a line feed, 200 when it was taken.
"""

from __future__ import annotations

import datetime

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.dags.library import bag
from tests.dags.runner import run as run_dag

DAG_ID = "phase12_01_metrics_monitoring"


def without_deadline(dag):
    """dag.test() knows no deadlines."""
    dag.deadline = None


def run(**arguments):
    return run_dag(DAG_ID, change=without_deadline, **arguments)


@pytest.fixture
def pushed(httpserver, http_connection):
    http_connection("pushgateway")
    httpserver.expect_request("/metrics/job/order_import", method="PUT").respond_with_data("")

    def pages():
        requests = [request for request, _ in httpserver.log]
        assert all(request.content_type.startswith("text/plain; version=0.0.4") for request in requests)
        return [request.get_data(as_text=True) for request in requests]

    return pages


@pytest.mark.covers("P12.1")
def test_every_order_leaves_as_datagrams(datagrams, pushed):
    done = run()
    assert done.state == "success"
    ours = [line for line in datagrams() if line.startswith("airflow.orders.")]
    assert [line for line in ours if line.startswith("airflow.orders.imported")] == [
        f"airflow.orders.imported,region={region}:1|c"
        for region in ("north", "north", "west", "north", "south")
    ]
    assert ours.count("airflow.orders.rejected:1|c") == 1
    assert [line for line in ours if line.startswith("airflow.orders.backlog")] == [
        f"airflow.orders.backlog:{left}|g" for left in (5, 4, 3, 2, 1, 0)
    ]
    timings = [line for line in ours if line.startswith("airflow.orders.import:")]
    assert len(timings) == 6
    assert all(line.endswith("|ms") and float(line.partition(":")[2][:-3]) >= 0 for line in timings)
    assert sum(line.startswith("airflow.orders.sla_used_ratio:") for line in ours) == 1


@pytest.mark.covers("P12.1")
def test_the_page_for_prometheus_has_the_figures_of_the_run(pushed):
    due = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=15)
    done = run(run_after=due)
    since = datetime.datetime.now(datetime.UTC) - due
    (page,) = pushed()
    assert page.endswith("\n")
    samples = {
        (one.name, *one.labels.values()): one.value
        for family in text_string_to_metric_families(page)
        for one in family.samples
    }
    assert samples["orders_imported_total", "north"] == 3
    assert samples["orders_imported_total", "south"] == 1
    assert samples["orders_imported_total", "west"] == 1
    assert samples["orders_rejected_total",] == 1
    assert samples["orders_backlog",] == 0
    assert samples["order_import_seconds_count",] == 6
    assert samples["order_import_seconds_bucket", "+Inf"] == 6
    assert set(done.xcom("import_orders")["seconds"]) == {"at_most", "total"}
    used = samples["order_import_sla_used_ratio",]
    assert used == pytest.approx(done.xcom("publish_metrics"))
    agreed = datetime.timedelta(minutes=30)
    assert 0.5 <= used <= since / agreed, "15 of the agreed 30 minutes, and what the run itself took"


@pytest.mark.covers("P12.1")
def test_without_metrics_the_import_works_the_same(pushed):
    assert run(conf={"largest_amount": 1000}).state == "success"
    assert "orders_rejected_total 0.0" in pushed()[0]


@pytest.mark.covers("P12.1")
def test_the_team_is_told_when_a_run_is_not_done_in_the_agreed_time():
    (deadline,) = bag().dags[DAG_ID].deadline
    assert deadline.interval == datetime.timedelta(minutes=30)
    assert deadline.reference.reference_name == "DagRunQueuedAtDeadline"
    assert deadline.callback.path == "tenant_airflow_lib.notifiers.slack.SlackFailureNotifier"
    assert deadline.callback.kwargs["slack_webhook_conn_id"] == "slack_webhook"
