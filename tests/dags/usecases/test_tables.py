"""Measures of tables."""

from __future__ import annotations

import pytest

from airflow_usecases import tables


def test_a_measure_is_a_name_and_a_size():
    assert tables.measure("orders") == {"table": "orders", "rows": 6}
    assert tables.measure("customers") == {"table": "customers", "rows": 4}


def test_an_unknown_table_is_an_error():
    with pytest.raises(KeyError):
        tables.measure("invoices")


def test_changes_name_both_sizes_also_of_a_table_that_is_new():
    before = [{"table": "orders", "rows": 5}, None]
    now = [{"table": "orders", "rows": 6}, {"table": "customers", "rows": 4}]
    assert tables.changes(before, now) == ["orders: 5 -> 6 rows", "customers: unknown -> 4 rows"]


@pytest.mark.parametrize("before", [[], [None, None]])
def test_a_run_without_measures_is_an_error(before):
    with pytest.raises(LookupError, match="no measures"):
        tables.changes(before, [{"table": "orders", "rows": 6}])


def test_the_sizes_add_up():
    assert tables.total_rows([{"table": "a", "rows": 2}, {"table": "b", "rows": 3}]) == 5
