"""Shared checks: nulls, number of rows, columns, expectations; each as a plain function."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tenant_airflow_lib import checks

ORDERS = [
    {"order_id": "1", "amount": "10.50", "email": "a@example.com"},
    {"order_id": "2", "amount": "", "email": ""},
    {"order_id": "", "amount": "abc", "email": "c@example.com"},
    {"order_id": "4", "amount": "10001", "email": ""},
]


def table():
    return checks.as_table(ORDERS)


def csv_file(folder: Path, text: str) -> Path:
    file = folder / "orders.csv"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.mark.covers("OP-8")
@pytest.mark.parametrize(("allowed", "success"), [(0.0, False), (0.24, False), (0.25, True), (1.0, True)])
def test_nulls_are_allowed_up_to_a_share(allowed, success):
    result = checks.check_nulls(table(), "order_id", allowed)
    assert result.success is success
    assert (result.unexpected, result.rows) == (1, (3,))


def test_a_missing_column_violates_the_null_check():
    result = checks.check_nulls(table(), "customer", 1.0)
    assert not result.success
    assert result.detail == "no column customer"


def test_a_share_is_exact_in_spite_of_floats():
    # 0.55 * 100 is 55.00000000000001
    for percent in range(1, 101):
        rule = checks.NotNull(column="a", mostly=percent / 100)
        suite = checks.Suite(name="share", expectations=[rule])
        for good in (percent - 1, percent):
            rows = [{"a": "x" if number < good else ""} for number in range(100)]
            assert checks.validate(checks.as_table(rows), suite).success is (good == percent)


@pytest.mark.parametrize("value", [None, "", float("nan")])
def test_null_is_nothing_empty_text_or_not_a_number(value):
    assert checks.is_null(value)


@pytest.mark.parametrize("value", [0, False, "0", " ", "null"])
def test_zero_false_and_text_are_no_nulls(value):
    assert not checks.is_null(value)


@pytest.mark.covers("OP-8")
@pytest.mark.parametrize(
    ("minimum", "maximum", "success"),
    [(4, None, True), (5, None, False), (None, 4, True), (None, 3, False), (4, 4, True)],
)
def test_the_number_of_rows_has_inclusive_bounds(minimum, maximum, success):
    assert checks.check_row_count(table(), minimum, maximum).success is success
    counted = checks.check_row_count(4, minimum, maximum)
    assert counted.success is success
    assert counted.detail == "4 rows"


@pytest.mark.parametrize(("minimum", "maximum"), [(None, None), (2, 1)])
def test_bounds_without_meaning_are_refused(minimum, maximum):
    with pytest.raises(ValueError, match=r"min_value"):
        checks.check_row_count(3, minimum, maximum)


@pytest.mark.covers("OP-8")
def test_required_columns_are_named_when_missing():
    assert checks.check_columns(["b", "a", "c"], ["a", "b"]).success
    result = checks.check_columns(["a"], ["a", "b", "c"])
    assert not result.success
    assert result.detail == "missing: b, c"
    assert result.unexpected == 2


def test_nulls_are_counted_by_column():
    count = checks.count_nulls(table())
    assert count.rows == 4
    assert dict(count.nulls) == {"order_id": 1, "amount": 1, "email": 2}
    assert count.share("email") == count.worst == 0.5
    assert count.overall == pytest.approx(4 / 12)
    assert checks.count_nulls(checks.as_table([], ["a"])).worst == 0.0
    with pytest.raises(KeyError, match="customer"):
        checks.count_nulls(table(), ["customer"])


SUITE = checks.Suite(
    name="orders",
    expectations=[
        checks.ColumnExists(column="order_id"),
        checks.ColumnExists(column="customer"),
        checks.NotNull(column="email", mostly=0.5),
        checks.NotNull(column="order_id"),
        checks.Between(column="amount", min_value=0, max_value=10_000),
        checks.Between(column="customer", min_value=0),
        checks.RowCount(min_value=1, max_value=4),
    ],
)


@pytest.mark.covers("OP-8")
def test_a_suite_is_judged_in_one_pass_in_its_order():
    seen = []
    rows = (seen.append(row) or row for row in ORDERS)  # a stream can be read once
    report = checks.validate(checks.Table(list(ORDERS[0]), rows), SUITE)
    assert len(seen) == 4
    assert [result.success for result in report.results] == [True, False, True, False, False, False, True]
    assert not report.success
    assert report.violated == [
        "expect_column_to_exist(customer)",
        "expect_column_values_to_not_be_null(order_id)",
        "expect_column_values_to_be_between(amount, min_value=0, max_value=10000)",
        "expect_column_values_to_be_between(customer, min_value=0)",
    ]
    amount = report.results[4]
    assert (amount.unexpected, amount.rows, amount.detail) == (2, (3, 4), "2 of 3 values")


def test_a_report_is_json_without_values_and_small_for_any_number_of_violations():
    rows = [{"order_id": "", "amount": "secret", "email": "a@example.com"} for _ in range(5000)]
    text = json.dumps(checks.validate(checks.as_table(rows), SUITE).to_dict())
    assert "secret" not in text
    assert "a@example.com" not in text
    assert len(text) < 3000
    assert json.loads(text)["results"][3]["rows"] == list(range(1, 11))


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        (
            checks.Between(column="a", min_value=0, max_value=1),
            ["0", "1", 0.5],
            ["-0.1", "1.1", "x", "nan", "inf"],
        ),
        (
            checks.Between(column="a", min_value=0, max_value=1, strict_min=True, strict_max=True),
            ["0.1", "0.9"],
            ["0", "1"],
        ),
        (checks.Between(column="a", min_value=0), ["0", "inf"], ["-1", "nan"]),
        (checks.Between(column="a", max_value=0), ["0", "-1"], ["1", "nan"]),
    ],
)
def test_a_range_has_inclusive_or_strict_bounds_and_only_numbers(rule, good, bad):
    assert all(rule.holds(value) for value in good)
    assert not any(rule.holds(value) for value in bad)


@pytest.mark.parametrize(("mostly", "success"), [(0.5, True), (0.51, False)])
def test_mostly_counts_only_values_that_are_there(mostly, success):
    rows = [{"a": "1"}, {"a": "9"}, {"a": ""}, {"a": ""}]
    rule = checks.Between(column="a", max_value=5, mostly=mostly)
    assert (
        checks.validate(checks.as_table(rows), checks.Suite(name="s", expectations=[rule])).success is success
    )


def test_a_suite_round_trips_through_great_expectations_json():
    data = SUITE.to_dict()
    assert data["expectations"][4] == {
        "type": "expect_column_values_to_be_between",
        "kwargs": {"column": "amount", "min_value": 0, "max_value": 10_000},
    }
    assert checks.Suite.from_dict(json.loads(json.dumps(data | {"id": None, "meta": {}}))) == SUITE


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (
            {"name": "s", "expectations": [{"type": "expect_magic", "kwargs": {}}]},
            "unknown expectation 'expect_magic'",
        ),
        (
            {"name": "s", "expectations": [{"type": "expect_column_to_exist", "kwargs": {"col": "a"}}]},
            "Extra inputs are not permitted",
        ),
        ({"name": "s", "expectations": []}, "at least 1"),
        ({"name": "s", "expectations": "abc"}, "expectations"),
        ({"expectations": [{"type": "expect_column_to_exist", "kwargs": {"column": "a"}}]}, "name"),
    ],
)
def test_a_wrong_suite_is_refused_when_it_is_made(data, error):
    with pytest.raises(ValueError, match=error):
        checks.Suite.from_dict(data)


def test_an_expectation_without_judge_is_a_type_error():
    class Other(checks.Expectation):
        type = "expect_other"

    with pytest.raises(TypeError, match="no judge for Other"):
        checks.validate(table(), checks.Suite(name="s", expectations=[Other()]))


@pytest.mark.covers("OP-8")
def test_a_csv_file_is_read_as_a_stream_of_rows(tmp_path):
    file = csv_file(tmp_path, '\ufefforder_id,note\n1,"a, b"\n\n2,\n')
    with checks.read_csv(file) as read:
        assert read.columns == ["order_id", "note"]
        assert list(read.rows) == [{"order_id": "1", "note": "a, b"}, {"order_id": "2", "note": ""}]
    with checks.read_csv(csv_file(tmp_path, "a;b\n1;2\n"), delimiter=";") as read:
        assert list(read.rows) == [{"a": "1", "b": "2"}]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "no header"),
        ("a,b,a\n", "columns twice: a"),
        ("a,b\n1,2\n1\n", "row 2: 1 fields, the header has 2"),
        ("a,b\n1,2,3\n", "row 1: 3 fields"),
        ('a,b\n1,"2" x\n', "row 1: "),
        ('"a" x\n', "header: "),
    ],
)
def test_a_file_that_is_no_table_is_an_error_with_its_row(tmp_path, text, error):
    with (
        pytest.raises(checks.TableError, match=error),
        checks.read_csv(csv_file(tmp_path, text)) as read,
    ):
        list(read.rows)


def test_a_missing_file_is_another_error_than_a_broken_one(tmp_path):
    with pytest.raises(FileNotFoundError), checks.read_csv(tmp_path / "none.csv"):
        pass
    file = tmp_path / "latin.csv"
    file.write_bytes("a\né\n".encode("latin-1"))
    with pytest.raises(UnicodeDecodeError), checks.read_csv(file) as read:
        list(read.rows)
