"""A day of sales: the same day is the same data, and lost rows are noticed."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from airflow_usecases import daily_sales

DAY = "2026-03-06"


def test_the_sample_is_1000_different_sales_and_the_same_for_the_same_day():
    first, again, other = (list(daily_sales.sample_api(day)) for day in (DAY, DAY, "2026-03-07"))
    assert len({sale["sale_id"] for sale in first}) == len(first) == 1000
    assert first == again
    assert first != other


def test_amounts_and_revenue_are_exact(tmp_path):
    def fetch(day: str):
        return [{"quantity": 3, "unit_price": "0.10"}, {"quantity": 1, "unit_price": "0.20"}]

    processed = daily_sales.transform(daily_sales.extract(tmp_path, DAY, fetch))
    loaded = daily_sales.load(processed, tmp_path / "warehouse")
    assert loaded["loaded"] == 2
    assert Decimal(loaded["revenue"]) == Decimal("0.50")


def test_rows_that_got_lost_are_noticed(tmp_path):
    extracted = daily_sales.extract(tmp_path, DAY)
    path = Path(extracted["path"])
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(ValueError, match="999 rows instead of 1000"):
        daily_sales.transform(extracted)


def test_a_partition_is_replaced_and_others_stay(tmp_path):
    for day in (DAY, "2026-03-07", DAY):
        daily_sales.load(daily_sales.transform(daily_sales.extract(tmp_path, day)), tmp_path / "w")
    sizes = {
        path.parent.name: len(path.read_text().splitlines()) for path in (tmp_path / "w").rglob("*.jsonl")
    }
    assert sizes == {"sale_date=2026-03-06": 1000, "sale_date=2026-03-07": 1000}
