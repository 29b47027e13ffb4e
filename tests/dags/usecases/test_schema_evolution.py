"""Which schema changes break readers, and where."""

from __future__ import annotations

import jsonschema
import pytest

from airflow_usecases import order_schemas
from airflow_usecases.schema_evolution import breaks

TEXT = {"type": "string"}


def an_object(required=(), closed=False, **properties):
    schema = {"type": "object", "required": list(required), "properties": properties}
    return schema | ({"additionalProperties": False} if closed else {})


def paths(old, new, mode):
    return [item["path"] for item in breaks(old, new, mode)]


@pytest.mark.covers("P10.2")
def test_version_2_is_an_additive_step():
    assert breaks(order_schemas.V1, order_schemas.V2, "full") == []


@pytest.mark.covers("P10.2")
@pytest.mark.parametrize(
    ("old", "new", "backward", "forward"),
    [
        (an_object(a=TEXT), an_object(a=TEXT, b=TEXT), [], []),
        (an_object(["a"], a=TEXT), an_object(), [], ["a"]),
        (an_object(), an_object(["a"], a=TEXT), ["a"], []),
        (an_object(a=TEXT), an_object(["a"], a=TEXT), ["a"], []),
        (an_object(a={"type": "integer"}), an_object(a={"type": "number"}), [], ["a"]),
        (an_object(a={"type": "integer"}), an_object(a=TEXT), ["a"], ["a"]),
        (an_object(a=TEXT), an_object(a={"type": ["string", "null"]}), [], ["a"]),
        (an_object(a={}), an_object(a=TEXT), ["a"], []),
        (an_object(a={"enum": ["x"]}), an_object(a={"enum": ["x", "y"]}), [], ["a"]),
        (an_object(a={}), an_object(a={"enum": ["x"]}), ["a"], []),
        (an_object(a={"minimum": 0}), an_object(a={"minimum": 1}), ["a"], []),
        (an_object(a={"maxLength": 5}), an_object(a={"maxLength": 4}), ["a"], []),
        (an_object(a={}), an_object(a={"maximum": 4}), ["a"], []),
        (an_object(a={"pattern": "x"}), an_object(a={"pattern": "y"}), ["a"], ["a"]),
        (an_object(a={"title": "x"}), an_object(a={"title": "y"}), [], []),
        (an_object(closed=True, a=TEXT), an_object(closed=True, a=TEXT, b=TEXT), [], ["b"]),
        (an_object(a=TEXT), an_object(closed=True, a=TEXT), ["(document)"], []),
        (
            an_object(a={"type": "array", "items": an_object(b=TEXT)}),
            an_object(a={"type": "array", "items": an_object(["b"], b=TEXT)}),
            ["a[].b"],
            [],
        ),
    ],
)
def test_each_kind_of_change_breaks_the_readers_it_must(old, new, backward, forward):
    assert paths(old, new, "backward") == backward
    assert paths(old, new, "forward") == forward
    assert paths(old, new, "full") == backward + forward
    assert paths(new, old, "backward") == forward  # the mirror image


def test_another_mode_is_refused():
    with pytest.raises(ValueError, match="sideways"):
        breaks({}, {}, "sideways")


def test_the_versions_are_schemas_and_the_samples_are_valid():
    for schema in order_schemas.VERSIONS.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    assert order_schemas.invalid(order_schemas.DOCUMENTS) == []


@pytest.mark.covers("P10.2")
def test_every_error_of_a_document_has_its_path_and_no_value():
    document = {
        "schema_version": "2",
        "order_id": "",
        "customer": {"id": 7},
        "lines": [{"sku": "mug", "quantity": 1}, {"quantity": 0}],
    }
    assert order_schemas.invalid([document]) == [
        {"document": 0, "path": "amount", "problem": "is required"},
        {"document": 0, "path": "customer.id", "problem": "violates type string"},
        {"document": 0, "path": "lines[1].sku", "problem": "is required"},
        {"document": 0, "path": "lines[1].quantity", "problem": "violates minimum 1"},
        {"document": 0, "path": "order_id", "problem": "violates minLength 1"},
    ]


def test_several_missing_fields_are_named_each():
    found = order_schemas.invalid([{"schema_version": "1"}])
    assert sorted(item["path"] for item in found) == ["amount", "customer", "order_id"]


def test_a_document_that_is_no_object_is_refused_at_its_root():
    assert (
        order_schemas.invalid([{"schema_version": "1"}], {"1": {"type": "array"}})[0]["path"] == "(document)"
    )
