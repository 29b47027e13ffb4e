"""Which way a parcel takes."""

from __future__ import annotations

import pytest

from airflow_usecases import routing


@pytest.mark.parametrize(
    ("value", "carrier"),
    [("99.99", "ship_standard"), ("100.00", "ship_express"), ("1000.00", "ship_express")],
)
def test_orders_from_a_hundred_euros_on_go_by_express(value, carrier):
    assert routing.carrier(value) == carrier


@pytest.mark.parametrize(
    ("value", "country", "papers"),
    [
        ("499.99", "AT", []),
        ("500.00", "AT", ["insure_parcel"]),
        ("1.00", "CH", ["print_customs_form"]),
        ("500.00", "CH", ["print_customs_form", "insure_parcel"]),
    ],
)
def test_papers_depend_on_value_and_country(value, country, papers):
    assert routing.papers(value, country) == papers
