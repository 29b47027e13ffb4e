"""What the versions of the order event take and refuse."""

from __future__ import annotations

import pytest

from airflow_usecases.order_schemas import DOCUMENTS, V1, V2, invalid

ORDER = {"schema_version": "1", "order_id": "A-1", "customer": {"id": "c7"}, "amount": 1}


def test_the_sample_documents_are_valid_and_both_schemas_say_their_version():
    assert invalid(DOCUMENTS) == []
    assert (V1["version"], V2["version"]) == (1, 2)


@pytest.mark.parametrize(
    ("changes", "path", "problem"),
    [
        ({"schema_version": "9"}, "schema_version", "none of 1, 2"),
        ({"order_id": ""}, "order_id", "violates minLength 1"),
        ({"amount": -0.01}, "amount", "violates minimum 0"),
        ({"customer": {}}, "customer.id", "is required"),
        ({"customer": {"id": 7}}, "customer.id", "violates type string"),
    ],
)
def test_an_error_names_the_document_the_place_and_the_rule(changes, path, problem):
    assert invalid([ORDER, ORDER | changes]) == [{"document": 1, "path": path, "problem": problem}]


def test_each_missing_field_is_named_once():
    document = {"schema_version": "1", "customer": {"id": "c7"}}
    assert [error["path"] for error in invalid([document])] == ["order_id", "amount"]


def test_what_only_the_second_version_checks_is_no_error_in_the_first():
    lines = {"lines": [{"sku": "mug", "quantity": 0}]}
    assert invalid([ORDER | lines]) == []
    [error] = invalid([ORDER | lines | {"schema_version": "2"}])
    assert error["path"] == "lines[0].quantity"


def test_a_problem_never_holds_the_value():
    assert "hidden" not in str(invalid([ORDER | {"amount": "hidden"}]))
