"""The SQL check holds when the query finds nothing, against a real PostgreSQL."""

from __future__ import annotations

import pytest
from airflow.providers.postgres.hooks.postgres import PostgresHook

from tenant_airflow_lib import checks

NO_DATE = "SELECT order_id FROM orders WHERE order_date IS NULL"


@pytest.fixture
def hook(postgres):
    postgres.execute("CREATE TABLE orders (order_id int, order_date date, region text)")
    postgres.execute("INSERT INTO orders VALUES (1, '2026-01-01', 'eu'), (2, '2026-01-02', 'us')")
    return PostgresHook(postgres.connection("postgres_conn"))


@pytest.mark.covers("OP-8", "X-08")
def test_no_row_holds_and_any_row_is_a_counted_violation(hook, postgres):
    assert checks.check_zero_rows(hook, NO_DATE).success
    postgres.execute("INSERT INTO orders VALUES (3, NULL, 'eu'), (4, NULL, 'us')")
    result = checks.check_zero_rows(hook, f"{NO_DATE};\n")
    assert (result.success, result.unexpected, result.detail) == (False, 2, "2 rows")
    assert result.rule == f"zero_rows({NO_DATE})"


def test_values_are_given_as_parameters(hook, postgres):
    postgres.execute("INSERT INTO orders VALUES (3, NULL, 'eu'), (4, NULL, 'us')")
    result = checks.check_zero_rows(
        hook,
        f"{NO_DATE} AND region = %(region)s",
        name="dates of eu",
        parameters={"region": "eu"},
    )
    assert (result.rule, result.unexpected) == ("dates of eu", 1)


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("SELECT COUNT(*) FROM orders WHERE order_date IS NULL", "a count is always one row"),
        ("select  count (1) FROM orders", "a count is always one row"),
        ("SELECT 1; DROP TABLE orders", "one statement"),
    ],
)
def test_a_query_that_would_always_or_never_hold_is_refused(hook, sql, error):
    with pytest.raises(ValueError, match=error):
        checks.check_zero_rows(hook, sql)


def test_an_error_of_the_database_is_not_a_verdict(hook):
    with pytest.raises(Exception, match='relation "nowhere" does not exist'):
        checks.check_zero_rows(hook, "SELECT 1 FROM nowhere")
