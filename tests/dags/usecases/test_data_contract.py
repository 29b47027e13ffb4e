"""Promises about data."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_usecases.data_contract import ContractError, breaking_changes, parse_contract


def contract(*fields, **more):
    return parse_contract({"asset": "orders", "owner": "sales", "version": 1, "fields": list(fields)} | more)


ORDERS = contract(
    {"name": "day", "type": "date"},
    {"name": "rows", "type": "integer", "minimum": 1},
    {"name": "share", "type": "number"},
    {"name": "final", "type": "boolean"},
    {"name": "note", "type": "string", "required": False},
)
GOOD = {"day": "2026-03-02", "rows": 3, "share": 0.5, "final": True}


def test_a_delivery_that_keeps_the_contract():
    assert ORDERS.violations(GOOD) == []
    assert ORDERS.violations(GOOD | {"note": "late", "unknown": object(), "share": 1}) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"day": "02.03.2026"}, "day: '02.03.2026' is no date"),
        ({"day": 20260302}, "day: 20260302 is no date"),
        ({"rows": 0}, "rows: 0 is below 1"),
        ({"rows": True}, "rows: True is no integer"),
        ({"rows": None}, "rows: missing"),
        ({"share": "0.5"}, "share: '0.5' is no number"),
        ({"share": True}, "share: True is no number"),
        ({"final": 1}, "final: 1 is no boolean"),
        ({"note": 5}, "note: 5 is no string"),
    ],
)
def test_each_broken_promise_is_named(change, problem):
    assert ORDERS.violations(GOOD | change) == [problem]


def test_several_broken_promises_come_in_the_contracts_order():
    assert [text.split(":")[0] for text in ORDERS.violations({})] == ["day", "rows", "share", "final"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"owner": "x"}, "not a contract: 'fields'"),
        ({"asset": "a", "owner": "x", "version": "two", "fields": []}, "not a contract"),
        (
            {"asset": "a", "owner": "x", "version": 1, "fields": [{"name": "f", "type": "money"}]},
            "no such type: money",
        ),
        (
            {"asset": "a", "owner": "x", "version": 1, "fields": [{"name": "f", "type": "date"}] * 2},
            "named twice",
        ),
    ],
)
def test_what_is_not_a_contract(body, message):
    with pytest.raises(ContractError, match=message):
        parse_contract(body)


def test_lateness_is_measured_against_the_agreement():
    agreed = contract(max_age_hours=26)
    assert not agreed.is_late(timedelta(hours=26))
    assert agreed.is_late(timedelta(hours=26, seconds=1))
    assert not ORDERS.is_late(timedelta(days=365))


OLD = contract(
    {"name": "id", "type": "integer"},
    {"name": "price", "type": "number"},
    {"name": "note", "type": "string", "required": False},
)


@pytest.mark.parametrize(
    ("fields", "changes"),
    [
        ([{"name": "id", "type": "integer"}, {"name": "price", "type": "number"}], ["note: removed"]),
        (
            [
                {"name": "id", "type": "string"},
                {"name": "price", "type": "number"},
                {"name": "note", "type": "string"},
            ],
            ["id: integer became string"],
        ),
        (
            [
                {"name": "id", "type": "integer"},
                {"name": "price", "type": "number", "required": False},
                {"name": "note", "type": "string"},
            ],
            ["price: no longer always there"],
        ),
        (
            [
                {"name": "id", "type": "number"},
                {"name": "price", "type": "integer"},
                {"name": "note", "type": "string", "required": False},
                {"name": "new", "type": "date"},
            ],
            ["id: integer became number"],
        ),
    ],
)
def test_breaking_changes(fields, changes):
    assert breaking_changes(OLD, contract(*fields)) == changes


def test_an_addition_breaks_nothing():
    more = contract(
        {"name": "id", "type": "integer"},
        {"name": "price", "type": "number"},
        {"name": "note", "type": "string", "required": False},
        {"name": "new", "type": "date"},
    )
    assert breaking_changes(OLD, more) == []
