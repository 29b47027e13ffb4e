"""The page for Prometheus, read back by Prometheus' own parser."""

from __future__ import annotations

import datetime

import pytest
from prometheus_client.parser import text_string_to_metric_families

from airflow_usecases.metrics import distribution, exposition, sla_used

NOON = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)
HALF_HOUR = datetime.timedelta(minutes=30)
MEASURED = {
    "imported": {"north": 3, "west": 1},
    "rejected": 2,
    "backlog": 7,
    "seconds": distribution([0.001, 0.02, 0.02, 3.0]),
}


@pytest.mark.covers("P12.1")
def test_the_page_says_counter_gauge_and_histogram_exactly():
    families = {one.name: one for one in text_string_to_metric_families(exposition(MEASURED, 0.25))}
    assert {name: one.type for name, one in families.items() if not name.endswith("_created")} == {
        "orders_imported": "counter",
        "orders_rejected": "counter",
        "orders_backlog": "gauge",
        "order_import_seconds": "histogram",
        "order_import_sla_used_ratio": "gauge",
    }
    samples = {
        (one.name, *one.labels.values()): one.value
        for family in families.values()
        for one in family.samples
        if not one.name.endswith("_created")
    }
    assert samples == {
        ("orders_imported_total", "north"): 3,
        ("orders_imported_total", "west"): 1,
        ("orders_rejected_total",): 2,
        ("orders_backlog",): 7,
        ("order_import_seconds_bucket", "0.005"): 1,
        ("order_import_seconds_bucket", "0.01"): 1,
        ("order_import_seconds_bucket", "0.025"): 3,
        ("order_import_seconds_bucket", "0.05"): 3,
        ("order_import_seconds_bucket", "0.1"): 3,
        ("order_import_seconds_bucket", "0.5"): 3,
        ("order_import_seconds_bucket", "+Inf"): 4,
        ("order_import_seconds_count",): 4,
        ("order_import_seconds_sum",): pytest.approx(3.041),
        ("order_import_sla_used_ratio",): 0.25,
    }


def test_what_is_handed_on_is_as_small_for_many_values_as_for_few():
    few, many = distribution([0.02]), distribution([0.02] * 10_000)
    assert few["at_most"].keys() == many["at_most"].keys()
    assert (many["at_most"]["0.01"], many["at_most"]["0.025"], many["at_most"]["+Inf"]) == (0, 10_000, 10_000)
    assert distribution([])["total"] == 0


def test_a_value_on_a_bound_belongs_to_it():
    assert distribution([0.005])["at_most"]["0.005"] == 1


@pytest.mark.covers("P12.1")
def test_a_page_holds_one_run_only():
    assert exposition(MEASURED, 0.5).count("orders_backlog 7.0") == 1
    assert "orders_backlog 7.0" not in exposition(MEASURED | {"backlog": 1}, 0.5)


@pytest.mark.parametrize(("minutes", "share"), [(0, 0.0), (15, 0.5), (30, 1.0), (45, 1.5)])
def test_the_share_of_the_agreed_time(minutes, share):
    assert sla_used(NOON, NOON + datetime.timedelta(minutes=minutes), HALF_HOUR) == share


def test_an_agreement_on_no_time_at_all_is_refused():
    with pytest.raises(ValueError, match="longer than nothing"):
        sla_used(NOON, NOON, datetime.timedelta(0))
