"""Tables as JSON lines."""

from __future__ import annotations

import json

import pytest

from airflow_usecases import table_export


def test_an_export_is_written_once_however_often_it_runs(tmp_path):
    for _ in range(2):
        done = table_export.export_table("orders", f"file://{tmp_path}", "2026-01-02")
    assert done["rows"] == 2
    [file] = (tmp_path / "orders").iterdir()
    assert [json.loads(line)["order_id"] for line in file.read_text().splitlines()] == [1, 2]


def test_a_table_that_does_not_exist_is_an_error(tmp_path):
    with pytest.raises(KeyError, match="nothing"):
        table_export.export_table("nothing", f"file://{tmp_path}", "2026-01-02")


def test_more_refunds_than_orders_are_an_error():
    def export(rows):
        return {"table": "t", "path": "p", "rows": rows}

    assert table_export.compare_counts(export(2), export(3), export(1)) == 6
    with pytest.raises(ValueError, match="3 refunds of 2 orders"):
        table_export.compare_counts(export(2), export(2), export(3))
