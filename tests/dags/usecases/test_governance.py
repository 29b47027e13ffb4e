"""Rules of data governance."""

from __future__ import annotations

import datetime

import pytest

from airflow_usecases import governance


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("email", "PII"),
        ("customer_name", "PII"),
        ("ip", "PII"),
        ("zip", "Public"),
        ("unit_price", "Confidential"),
        ("Revenue", "Confidential"),
        ("quantity", "Public"),
        ("filename", "Public"),
    ],
)
def test_a_columns_name_suggests_its_class(column, kind):
    assert governance.classify([column]) == {column: kind}


def test_what_the_owner_declares_counts():
    assert governance.classify(["vat_id", "email"], {"vat_id": "PII", "email": "Public"}) == {
        "vat_id": "PII",
        "email": "Public",
    }
    with pytest.raises(ValueError, match="no such class: Secret"):
        governance.classify(["x"], {"x": "Secret"})


def test_the_strictest_class_decides():
    assert governance.strictest(["Public", "PII", "Confidential"]) == "PII"


def test_a_table_without_columns_is_of_no_class():
    with pytest.raises(ValueError, match="empty"):
        governance.strictest([])


def test_how_long_each_class_is_kept():
    today = datetime.date(2026, 3, 31)
    kept = {kind: governance.keep_from(kind, today) for kind in governance.CLASSES}
    assert kept == {
        "Public": None,
        "Confidential": datetime.date(2025, 3, 31),
        "PII": datetime.date(2026, 3, 1),
    }


def test_impact_follows_assets_through_dags_even_in_a_circle():
    def asset(name, readers=(), makers=()):
        return {
            "name": name,
            "scheduled_dags": [{"dag_id": dag_id} for dag_id in readers],
            "producing_tasks": [{"dag_id": dag_id} for dag_id in makers],
        }

    assets = [asset("a", ["one"], ["two"]), asset("b", ["two"], ["one"]), asset("c", ["three"])]
    assert governance.downstream_dags(assets, "a") == ["one", "two"]
    assert governance.downstream_dags(assets, "unknown") == []


@pytest.mark.parametrize("table", ['a"; DROP TABLE b', "a.b", "", "A", "a" * 64])
def test_only_a_plain_name_is_put_into_a_statement(table):
    with pytest.raises(ValueError, match="not a table's name"):
        governance.retention_sql(table)
