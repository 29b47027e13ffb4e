"""The warehouse's address and a report's settings."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from airflow_usecases import warehouse


def connection(**changes):
    fields = {"host": "db.example.com", "port": 5433, "schema": "shop", "login": "report", "password": "hush"}
    return SimpleNamespace(**(fields | changes))


def test_the_address_holds_no_password():
    assert warehouse.describe(connection()) == {
        "host": "db.example.com",
        "port": 5433,
        "database": "shop",
        "user": "report",
    }


def test_the_port_is_postgresqls_unless_said():
    assert warehouse.describe(connection(port=None))["port"] == 5432


@pytest.mark.parametrize("field", ["host", "schema", "login"])
def test_an_address_without_one_of_its_parts_is_refused(field):
    with pytest.raises(ValueError, match="needs host, schema and login"):
        warehouse.describe(connection(**{field: None}))


def test_settings_that_are_not_stored_have_their_default():
    assert warehouse.settings("EUR", {"rows_per_page": "20"}) == {
        "currency": "EUR",
        "rows_per_page": 20,
        "regions": ["north", "south", "west"],
    }


def test_an_unknown_setting_is_refused():
    with pytest.raises(ValueError, match="unknown settings: row_per_page"):
        warehouse.settings("EUR", {"row_per_page": 20})
