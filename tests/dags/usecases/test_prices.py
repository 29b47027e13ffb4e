"""When a supplier's delivery is complete."""

from __future__ import annotations

import pytest

from airflow_usecases.prices import count_rows, is_complete


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "prices.csv").write_text("article,price\nA,1.00\nB,2.00\n")
    (tmp_path / "prices.csv.rows").write_text("2\n")
    return tmp_path


def test_a_delivery_with_all_announced_rows_is_complete(folder):
    assert is_complete(str(folder), "prices.csv")


def test_one_row_too_few_is_incomplete(folder):
    (folder / "prices.csv.rows").write_text("3")
    assert not is_complete(str(folder), "prices.csv")


@pytest.mark.parametrize("missing", ["prices.csv", "prices.csv.rows"])
def test_either_file_missing_is_incomplete(folder, missing):
    (folder / missing).unlink()
    assert not is_complete(str(folder), "prices.csv")


def test_a_number_that_is_none_is_an_error_not_a_wait(folder):
    (folder / "prices.csv.rows").write_text("many")
    with pytest.raises(ValueError, match="many"):
        is_complete(str(folder), "prices.csv")


def test_the_header_is_no_row(folder):
    assert count_rows(folder / "prices.csv") == 2
