"""One of several ways, and the join."""

from __future__ import annotations

import pytest
from tests.dags.library import bag
from tests.dags.runner import run

DAG_ID = "phase4_02_branching"
CARRIERS = {"ship_standard", "ship_express"}
PAPERS = {"print_customs_form", "insure_parcel"}
ALWAYS = {"choose_carrier", "book_carrier", "choose_papers", "send_parcel"}


@pytest.mark.covers("P04.2")
@pytest.mark.parametrize(
    ("value", "country", "taken"),
    [
        ("49.90", "AT", {"ship_standard"}),
        ("49.90", "CH", {"ship_standard", "print_customs_form"}),
        ("100.00", "AT", {"ship_express"}),
        ("500.00", "AT", {"ship_express", "insure_parcel"}),
        ("500.00", "US", {"ship_express", "print_customs_form", "insure_parcel"}),
    ],
)
def test_the_chosen_ways_run_the_others_are_skipped_and_both_joins_run(value, country, taken):
    done = run(DAG_ID, conf={"value": value, "country": country})
    assert done.state == "success"
    assert done.of("success") == ALWAYS | taken
    assert done.of("skipped") == (CARRIERS | PAPERS) - taken


@pytest.mark.covers("P04.2")
def test_both_kinds_of_branch_and_the_rule_of_the_joins():
    dag = bag().dags[DAG_ID]
    assert dag.get_task("choose_carrier").task_type == "BranchPythonOperator"
    assert dag.get_task("choose_papers").task_type == "_BranchPythonDecoratedOperator"
    for join in ("book_carrier", "send_parcel"):
        assert dag.get_task(join).trigger_rule == "none_failed_min_one_success"


def test_a_branch_that_fails_lets_no_parcel_leave():
    def broken(dag):
        dag.get_task("choose_carrier").op_args = ["not a number"]

    done = run(DAG_ID, change=broken)
    assert done.state == "failed"
    assert done.of("failed") == {"choose_carrier"}
    assert done.of("success") == set()
