"""The history of changes, and what is current of it."""

from __future__ import annotations

import datetime
import random

import pytest

from airflow_usecases import cdc


def change(lsn: int, op: str, order_id: int = 1, amount: str = "1.00") -> cdc.Change:
    payload = {} if op == "D" else {"customer": "ada", "amount": amount}
    return {"lsn": lsn, "op": op, "order_id": order_id, "payload": payload, "changed_at": f"t{lsn}"}


FEED = [change(1, "I"), change(2, "U", amount="2.50"), change(3, "I", 2), change(4, "D", 2)]


def test_merging_again_in_any_order_and_number_gives_the_same_history():
    once = cdc.merge([], FEED)
    shuffled = [*FEED, *FEED]
    random.Random(7).shuffle(shuffled)  # noqa: S311 - an order, no secret
    assert cdc.merge([], shuffled) == once
    assert cdc.merge(once, FEED) == once


def test_a_change_that_arrives_late_ends_the_right_version():
    late = cdc.merge(cdc.merge([], [FEED[0], change(9, "U")]), [FEED[1]])
    assert [(version["lsn"], version["valid_to"]) for version in late] == [(1, "t2"), (2, "t9"), (9, None)]


def test_totals_count_what_exists_now():
    assert cdc.totals(cdc.merge([], FEED)) == [{"customer": "ada", "orders": 1, "revenue": "2.50"}]
    assert cdc.totals(cdc.merge([], [*FEED, change(5, "D")])) == []


def test_an_order_that_comes_back_after_its_deletion_counts_again():
    assert cdc.totals(cdc.merge([], [*FEED, change(5, "I", 2, "4")]))[0]["orders"] == 2


def test_an_unknown_operation_is_refused():
    row = {
        "lsn": 1,
        "op": "T",
        "order_id": 1,
        "payload": None,
        "changed_at": datetime.datetime.now(datetime.UTC),
    }
    with pytest.raises(ValueError, match="'T'"):
        cdc.change_of(row)


def test_lines_are_read_back_as_written():
    assert cdc.from_lines(cdc.to_lines(FEED)) == FEED
