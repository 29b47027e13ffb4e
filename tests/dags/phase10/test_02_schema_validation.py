"""Additive changes pass; a removed required field fails with its path; documents follow their version."""

from __future__ import annotations

import copy

import pytest
from tests.dags.runner import run

from airflow_usecases.order_schemas import V1, V2

DAG_ID = "phase10_02_schema_validation"


def without_customer_id() -> dict:
    schema = copy.deepcopy(V2)
    del schema["properties"]["customer"]["properties"]["id"]
    schema["properties"]["customer"]["required"] = []
    return schema


@pytest.mark.covers("P10.2")
@pytest.mark.parametrize("mode", ["backward", "forward", "full"])
def test_the_additive_step_from_version_1_to_2_passes(mode):
    done = run(DAG_ID, conf={"compatibility": mode})
    assert done.of("success") == {"check_evolution", "validate_documents", "accept_documents"}
    assert done.xcom("check_evolution") == {"from": 1, "to": 2}
    assert done.xcom("validate_documents") == {"1": 1, "2": 1}
    assert done.xcom("accept_documents") == 2


@pytest.mark.covers("P10.2")
@pytest.mark.parametrize("mode", ["forward", "full"])
def test_a_removed_required_field_fails_with_its_path(mode):
    done = run(DAG_ID, conf={"candidate": without_customer_id(), "compatibility": mode})
    assert done.states == {
        "check_evolution": "failed",
        "validate_documents": "upstream_failed",
        "accept_documents": "upstream_failed",
    }
    assert done.tries("check_evolution") == 1
    assert done.xcom("check_evolution", "breaks") == [
        {
            "mode": "forward",
            "path": "customer.id",
            "problem": "required by the reader, not there at the writer",
        }
    ]


def test_backward_only_a_field_may_go_away():
    assert (
        run(DAG_ID, conf={"candidate": without_customer_id(), "compatibility": "backward"}).state == "success"
    )


def test_a_new_required_field_fails_backward():
    schema = V1 | {"required": [*V1["required"], "currency"]}
    done = run(DAG_ID, conf={"candidate": schema, "compatibility": "backward"})
    assert done.state == "failed"
    assert [(item["mode"], item["path"]) for item in done.xcom("check_evolution", "breaks")] == [
        ("backward", "currency")
    ]


@pytest.mark.covers("P10.2")
def test_invalid_documents_fail_with_every_path():
    documents = [
        {"schema_version": "1", "order_id": "A-1", "customer": {}, "amount": -1},
        {"schema_version": "9"},
    ]
    done = run(DAG_ID, conf={"documents": documents})
    assert done.states["check_evolution"] == "success"
    assert done.states["validate_documents"] == "failed"
    assert done.xcom("validate_documents", "invalid") == [
        {"document": 0, "path": "amount", "problem": "violates minimum 0"},
        {"document": 0, "path": "customer.id", "problem": "is required"},
        {"document": 1, "path": "schema_version", "problem": "none of 1, 2"},
    ]
