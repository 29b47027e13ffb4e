"""A day is written whole or not at all; that PostgreSQL sees it so is proven with the DAG."""

from __future__ import annotations

from decimal import Decimal

import pytest

from airflow_usecases.orders_db import SAMPLE, replace_day


class Connection:
    """A PEP 249 connection that fails on the statement that begins with `failing`, and keeps a diary."""

    def __init__(self, failing: str = "nothing", error: type[BaseException] = RuntimeError) -> None:
        self.failing, self.error = failing, error
        self.diary: list[str] = []
        self.rows: list = []

    def cursor(self):
        return self

    def execute(self, sql, parameters=()):
        self.diary.append(sql.split(" (")[0])
        if sql.startswith(self.failing):
            raise self.error(sql)
        if sql.startswith("INSERT INTO daily_revenue"):
            self.rows.append(parameters)

    def executemany(self, sql, parameters):
        self.execute(sql)
        self.rows.extend(parameters)

    def commit(self):
        self.diary.append("commit")

    def rollback(self):
        self.diary.append("rollback")

    def close(self):
        self.diary.append("close")


def test_a_day_is_removed_and_written_in_one_transaction():
    connection = Connection()
    assert replace_day(connection, "2026-03-01", SAMPLE) == 3
    assert connection.diary == [
        "DELETE FROM orders WHERE day = %s",
        "DELETE FROM daily_revenue WHERE day = %s",
        "INSERT INTO daily_revenue",
        "INSERT INTO orders",
        "commit",
        "close",
    ]
    assert connection.rows[0] == ("2026-03-01", 3, Decimal("265.00"))
    assert connection.rows[1] == ("2026-03-01", "A-1", "Ines", Decimal("19.90"))


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt], ids=["an error", "a kill"])
@pytest.mark.parametrize("failing", ["DELETE FROM orders", "INSERT INTO orders"])
def test_whatever_stops_it_the_day_stays_as_it_was(failing, error):
    connection = Connection(failing, error)
    with pytest.raises(error):
        replace_day(connection, "2026-03-01", SAMPLE)
    assert connection.diary[-2:] == ["rollback", "close"]
    assert "commit" not in connection.diary


def test_a_day_without_orders_has_no_revenue():
    connection = Connection()
    assert replace_day(connection, "2026-03-01", []) == 0
    assert connection.rows == [("2026-03-01", 0, Decimal(0))]
