"""A day of orders in PostgreSQL: written in one transaction, so that readers see all of it or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Protocol, TypedDict

TABLES = (
    """
    CREATE TABLE IF NOT EXISTS orders (
        day date NOT NULL,
        order_id text NOT NULL,
        customer text,
        amount numeric(12, 2) NOT NULL,
        PRIMARY KEY (day, order_id)
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS daily_revenue (
        day date PRIMARY KEY,
        orders integer NOT NULL,
        amount numeric(14, 2) NOT NULL,
        published boolean NOT NULL DEFAULT false
    )
    """,
)


class Order(TypedDict):
    """One order; the amount as text, since JSON has no decimal numbers."""

    order_id: str
    customer: str | None
    amount: str


class Cursor(Protocol):
    """What is needed of a PEP 249 cursor."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Any:
        """Run one statement."""

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Any:
        """Run one statement for each set of parameters."""

    def close(self) -> None:
        """Release it."""


class Connection(Protocol):
    """What is needed of a PEP 249 connection without autocommit."""

    def cursor(self) -> Cursor:
        """A new cursor in the connection's transaction."""

    def commit(self) -> None:
        """Make everything since the last commit visible."""

    def rollback(self) -> None:
        """Undo everything since the last commit."""


SAMPLE: tuple[Order, ...] = (
    {"order_id": "A-1", "customer": "Ines", "amount": "19.90"},
    {"order_id": "A-2", "customer": "Jonas", "amount": "240.00"},
    {"order_id": "A-3", "customer": "Mei", "amount": "5.10"},
)


def replace_day(connection: Connection, day: str, orders: Sequence[Order]) -> int:
    """Replace a day's orders and its revenue; the number of orders.

    One transaction over both tables: on any error it is rolled back and the error raised again, so the day
    stays as it was. Deleting first makes a second run of the same day end in the same state.
    """
    cursor = connection.cursor()
    try:
        cursor.execute("DELETE FROM orders WHERE day = %s", (day,))
        cursor.execute("DELETE FROM daily_revenue WHERE day = %s", (day,))
        cursor.execute(
            "INSERT INTO daily_revenue (day, orders, amount) VALUES (%s, %s, %s)",
            (day, len(orders), sum((Decimal(order["amount"]) for order in orders), Decimal(0))),
        )
        cursor.executemany(
            "INSERT INTO orders (day, order_id, customer, amount) VALUES (%s, %s, %s, %s)",
            [(day, order["order_id"], order["customer"], Decimal(order["amount"])) for order in orders],
        )
    except BaseException:  # a timeout or a kill, too, must not leave half of the day
        connection.rollback()
        raise
    else:
        connection.commit()
    finally:
        cursor.close()
    return len(orders)
