"""The functions that the YAML definitions name."""

from __future__ import annotations

import json

import pytest

from airflow_usecases import customers, definition_report, model_pipeline, table_export, tenant_usage
from tenant_airflow_lib.factory import Policy


def test_customers_are_cleaned_and_bad_addresses_dropped():
    done = customers.transform_data(customers.extract_data(), minimum_rows=3)
    assert (done["rows"], done["dropped"]) == (3, 1)
    assert done["customers"][0] == {"customer_id": 1, "email": "ada@example.com", "country": "DE"}


def test_too_few_customers_are_an_error():
    with pytest.raises(ValueError, match="3 of 4 customers are valid, 4 are needed"):
        customers.transform_data(customers.extract_data(), minimum_rows=4)


def test_segments_are_by_country():
    segments = customers.split_by_country(customers.extract_data())
    assert [customers.summarise_country(segment) for segment in segments] == ["DE: 1", "FI: 1", "US: 2"]


def test_an_export_is_written_once_however_often_it_runs(tmp_path):
    for _ in range(2):
        done = table_export.export_table("orders", f"file://{tmp_path}", "2026-01-02")
    assert done["rows"] == 2
    [file] = (tmp_path / "orders").iterdir()
    assert [json.loads(line)["order_id"] for line in file.read_text().splitlines()] == [1, 2]


def test_a_table_that_does_not_exist_is_an_error(tmp_path):
    with pytest.raises(KeyError, match="nothing"):
        table_export.export_table("nothing", f"file://{tmp_path}", "2026-01-02")


def test_more_refunds_than_orders_are_an_error():
    def export(rows):
        return {"table": "t", "path": "p", "rows": rows}

    assert table_export.compare_counts(export(2), export(3), export(1)) == 6
    with pytest.raises(ValueError, match="3 refunds of 2 orders"):
        table_export.compare_counts(export(2), export(2), export(3))


@pytest.mark.parametrize(
    ("tenant", "month", "calls"), [("acme", "2026-09", 900), ("globex", "2026-10", 750), ("x", "2026-10", 0)]
)
def test_usage_is_that_of_one_tenant_and_month(tenant, month, calls):
    assert tenant_usage.read_usage(tenant, month) == {"tenant": tenant, "month": month, "calls": calls}


def test_an_invoice_below_0_is_refused():
    invoice = tenant_usage.price_usage({"tenant": "a", "month": "m", "calls": 3}, "-1", "EUR")
    with pytest.raises(ValueError, match=r"-3\.00"):
        tenant_usage.check_invoice(invoice)


def test_a_report_has_every_problem_once(tmp_path):
    path = tmp_path / "dags.yaml"
    path.write_text(
        "format: 1\nenvironments: {a: {}, b: {}}\ndefault_environment: a\n"
        "dags:\n  - {dag_id: x, tasks: [{id: t, operator: nothing}]}\n"
    )
    report = definition_report.check_file(str(path), Policy())
    assert report["dags"] == {"a": [], "b": []}
    assert len(report["problems"]) == 1
    with pytest.raises(ValueError, match="unknown-operator"):
        definition_report.summarise([report])


def test_a_pipeline_without_features_is_refused():
    with pytest.raises(ValueError, match="no features for s3://data/"):
        model_pipeline.load_data("s3://data/", [])


def test_a_model_that_is_too_bad_is_not_deployed():
    with pytest.raises(ValueError, match=r"accuracy of 0\.40"):
        model_pipeline.deploy_model({"model": "m", "accuracy": 0.4})


def test_a_trained_model_is_better_than_chance():
    dataset = model_pipeline.preprocess(model_pipeline.load_data("s3://data/", ["a", "bb", "ccc"]))
    trained = model_pipeline.train_model(dataset, "m")
    assert model_pipeline.evaluate_model(trained)["accuracy"] > 0.7
