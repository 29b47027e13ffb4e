"""The load from the encrypted bucket: by a role, as Parquet, over TLS, repeatable."""

from __future__ import annotations

import datetime
import json
import re

import pytest
import yaml
from tests.dags.home import ROOT
from tests.dags.library import bag
from tests.dags.runner import run

ROLE = "arn:aws:iam::123456789012:role/redshift-kms-reader"
PASSWORD = "redshift-password"
DAY = datetime.datetime(2026, 3, 6, tzinfo=datetime.UTC)


@pytest.fixture
def connections(connect):
    connect("aws_encrypted", "aws", extra={"role_arn": ROLE})
    connect(
        "redshift_prod",
        "redshift",
        host="prod.abc.us-east-1.redshift.amazonaws.com",
        port=5439,
        login="loader",
        password=PASSWORD,
        schema="warehouse",
        extra={"sslmode": "verify-full"},
    )


@pytest.mark.covers("D000-8")
def test_the_copy_uses_the_role_and_reads_parquet(connections, redshift):
    done = run("de_ingest_s3_redshift", logical_date=DAY)
    assert done.states == {"secure_s3_to_redshift": "success"}
    assert (
        f"COPY #orders FROM 's3://encrypted-bucket/data.parquet' credentials 'aws_iam_role={ROLE}' "
        "FORMAT AS PARQUET;"
    ) in redshift.statements
    assert redshift.statements[-2:] == ["INSERT INTO sales.orders SELECT * FROM #orders;", "COMMIT"]
    assert "aws_access_key_id" not in str(redshift.statements)


@pytest.mark.covers("D000-8")
def test_the_version_with_the_new_contract_reads_one_file_per_day_into_a_table_of_its_own(
    connections, redshift
):
    run("de_ingest_s3_redshift_v2", logical_date=DAY)
    assert (
        "COPY #orders_v2 FROM 's3://encrypted-bucket/orders/2026-03-06/data.parquet' "
        f"credentials 'aws_iam_role={ROLE}' FORMAT AS PARQUET;"
    ) in redshift.statements
    assert redshift.statements[-2] == "INSERT INTO sales.orders_v2 SELECT * FROM #orders_v2;"


@pytest.mark.covers("D000-8")
def test_the_connection_is_opened_with_tls_and_a_checked_certificate(connections, redshift):
    run("de_ingest_s3_redshift", logical_date=DAY)
    (connection,) = redshift.connections
    assert connection["sslmode"] == "verify-full"


@pytest.mark.covers("D000-8")
def test_the_sample_connections_demand_tls_and_name_a_role_without_keys():
    tenant = yaml.safe_load((ROOT / "manifests/tenants/base/data-engineering/tenant.yaml").read_text())
    connections = {connection["id"]: connection for connection in tenant["spec"]["connections"]}
    assert connections["redshift_prod"]["extra"]["sslmode"] == "verify-full"
    assert "passwordSecretRef" in connections["redshift_prod"]
    assert connections["aws_encrypted"]["extra"]["role_arn"].startswith("arn:aws:iam::")
    assert not {"login", "passwordSecretRef"} & connections["aws_encrypted"].keys()


@pytest.mark.covers("D000-8")
@pytest.mark.parametrize("dag_id", ["de_ingest_s3_redshift", "de_ingest_s3_redshift_v2"])
def test_both_are_tagged_by_team_and_purpose(dag_id):
    assert {"data_engineering", "ingestion"} <= bag().dags[dag_id].tags


def test_the_audit_line_names_file_and_table_and_the_log_has_no_password(connections, redshift, caplog):
    with caplog.at_level("DEBUG"):
        done = run("de_ingest_s3_redshift", logical_date=DAY)
    (line,) = [record.getMessage() for record in caplog.records if record.name == "audit.transfer"]
    assert json.loads(line.removeprefix("transfer ")) == {
        "s3_bucket": "encrypted-bucket",
        "s3_key": "data.parquet",
        "schema": "sales",
        "table": "orders",
        "dag_id": "de_ingest_s3_redshift",
        "task_id": "secure_s3_to_redshift",
        "run_id": done.run_id,
        "try_number": 1,
    }
    assert PASSWORD not in caplog.text


@pytest.mark.covers("X-39")
def test_a_second_dag_is_for_another_contract_and_a_new_version_is_the_bundle_s(monkeypatch):
    """An id with `_vN` has a sibling that reads or writes something else; commits are versions of one id."""
    dags = bag().dags
    versioned = {dag_id: dag_id.rpartition("_v")[0] for dag_id in dags if re.search(r"_v\d+$", dag_id)}
    assert versioned == {"de_ingest_s3_redshift_v2": "de_ingest_s3_redshift"}
    for later, first in versioned.items():
        [one], [two] = dags[first].tasks, dags[later].tasks
        assert (one.table, one.s3_key) != (two.table, two.s3_key)
        assert one.table != two.table
    monkeypatch.syspath_prepend(ROOT / "charts" / "airflow-tenant" / "files")
    from tenant_bundles import GitSyncDagBundle

    bundle = GitSyncDagBundle(name="main", root="/git/main", version="4f" * 20)
    assert bundle.supports_versioning
    assert bundle.get_current_version().version == "4f" * 20
