"""The customers' functions that the YAML definitions name."""

from __future__ import annotations

import pytest

from airflow_usecases import customers


def test_customers_are_cleaned_and_bad_addresses_dropped():
    done = customers.transform_data(customers.extract_data(), minimum_rows=3)
    assert (done["rows"], done["dropped"]) == (3, 1)
    assert done["customers"][0] == {"customer_id": 1, "email": "ada@example.com", "country": "DE"}


def test_too_few_customers_are_an_error():
    with pytest.raises(ValueError, match="3 of 4 customers are valid, 4 are needed"):
        customers.transform_data(customers.extract_data(), minimum_rows=4)


def test_segments_are_by_country():
    segments = customers.split_by_country(customers.extract_data())
    assert [customers.summarise_country(segment) for segment in segments] == ["DE: 1", "FI: 1", "US: 2"]
