"""The report of a day as CSV."""

from __future__ import annotations

from decimal import Decimal

from airflow_usecases import sales_report


def test_totals_are_exact_and_the_file_has_a_row_per_region(tmp_path):
    rows = [("north", 2, Decimal("0.10")), ("south", 1, Decimal("0.20"))]
    report = sales_report.write(tmp_path / "r", "2026-03-05", rows)
    assert report == {
        "day": "2026-03-05",
        "regions": 2,
        "sales": 3,
        "revenue": "0.30",
        "path": str(tmp_path / "r" / "sales_2026-03-05.csv"),
    }
    lines = (tmp_path / "r" / "sales_2026-03-05.csv").read_text().splitlines()
    assert lines == ["region,sales,revenue", "north,2,0.10", "south,1,0.20"]


def test_a_day_without_sales_is_a_header_and_a_report_is_replaced(tmp_path):
    sales_report.write(tmp_path, "d", [("north", 1, Decimal(1))])
    report = sales_report.write(tmp_path, "d", [])
    assert (report["regions"], report["revenue"]) == (0, "0")
    assert (tmp_path / "sales_d.csv").read_text().splitlines() == ["region,sales,revenue"]
