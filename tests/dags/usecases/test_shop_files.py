"""Names of delivered files."""

from __future__ import annotations

import pytest

from airflow_usecases import shop_files


def test_a_name_is_split_into_table_and_day():
    assert shop_files.plan("open_orders_2026-03-02.csv") == {
        "file": "open_orders_2026-03-02.csv",
        "table": "open_orders",
        "day": "2026-03-02",
    }


@pytest.mark.parametrize("file", ["2026-03-02.csv", "orders_yesterday.csv"])
def test_a_name_without_table_or_day_is_refused(file):
    with pytest.raises(ValueError, match=r"names no table|isoformat"):
        shop_files.plan(file)


@pytest.mark.parametrize("file", ["orders.txt", "../orders_2026-03-02.csv", "a/b_2026-03-02.csv"])
def test_another_suffix_or_a_folder_is_refused(file):
    with pytest.raises(ValueError, match="no file name"):
        shop_files.checked(file, ".csv")


def test_a_good_name_is_given_on():
    assert shop_files.checked("orders_2026-03-02.csv", ".csv") == "orders_2026-03-02.csv"


def test_the_number_of_rows_is_the_same_each_time():
    assert (
        shop_files.rows_of("a.csv", "a", "2026-03-02") == shop_files.rows_of("a.csv", "a", "2026-03-02") == 8
    )
