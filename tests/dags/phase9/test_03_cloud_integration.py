"""The object has the same bytes in S3 and in Azure; without the providers the file still loads."""

from __future__ import annotations

import hashlib
import re
import sys
import types

import pendulum
import pytest
from tests.dags.phase9.azure_blobs import BlobStore
from tests.dags.phase9.without_providers import tasks_without
from tests.dags.runner import run

DAG_ID = "phase9_03_cloud_integration"
DAY = pendulum.datetime(2026, 3, 1, tz="UTC")
KEY = "revenue/day=2026-03-01.csv"
ROWS = [("Açores", 2, 31.5), ("Porto, Gaia", 1, 7.0)]
EXPECTED = 'region,orders,revenue\nAçores,2,31.5\n"Porto, Gaia",1,7.0\n'.encode()


class BigQueryHook:
    """The signatures are those of airflow.providers.google.cloud.hooks.bigquery.BigQueryHook.

    `get_records` refuses to work without a location there, too.
    """

    calls: list = []  # noqa: RUF012 - emptied by the fixture

    def __init__(
        self, use_legacy_sql=True, location=None, priority="INTERACTIVE", gcp_conn_id="google_cloud_default"
    ):
        assert not use_legacy_sql
        self.location, self.gcp_conn_id = location, gcp_conn_id

    def get_records(self, sql, parameters=None):
        assert self.location is not None
        assert set(re.findall(r"%\((\w+)\)s", sql)) == set(parameters)
        self.calls.append((self.gcp_conn_id, self.location, parameters))
        return ROWS


@pytest.fixture
def bigquery(monkeypatch):
    BigQueryHook.calls.clear()
    path = "airflow.providers.google.cloud.hooks.bigquery"
    for end in range(3, path.count(".") + 2):
        name = ".".join(path.split(".")[:end])
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    sys.modules[path].BigQueryHook = BigQueryHook
    return BigQueryHook


@pytest.fixture
def azure(httpserver, connect):
    store = BlobStore("partner")
    httpserver.expect_request(re.compile(".*")).respond_with_handler(store)
    connect(
        "wasb_default", "wasb", extra={"connection_string": store.connection_string(httpserver.url_for(""))}
    )
    return store


@pytest.fixture
def s3(aws):
    aws.connection("aws_default")
    client = aws.client("s3")
    client.create_bucket(Bucket="platform-lake")
    return client


@pytest.mark.covers("P09.3")
def test_the_object_has_the_same_bytes_in_all_stores(bigquery, s3, azure):
    done = run(DAG_ID, logical_date=DAY)
    assert done.of("success") == {"export_revenue", "copy_with_hooks", "copy_with_paths", "verify_copies"}
    assert bigquery.calls == [("google_cloud_default", "EU", {"day": "2026-03-01"})]
    in_s3 = s3.get_object(Bucket="platform-lake", Key=KEY)["Body"].read()
    assert in_s3 == EXPECTED
    assert azure.blobs == {"partner": {KEY: in_s3, f"by-path/{KEY}": in_s3}}
    assert done.xcom("verify_copies") == {
        "bytes": len(EXPECTED),
        "sha256": hashlib.sha256(EXPECTED).hexdigest(),
    }


def test_running_twice_ends_in_the_same_state(bigquery, s3, azure):
    run(DAG_ID, logical_date=DAY)
    before = dict(azure.blobs["partner"])
    assert run(DAG_ID, logical_date=DAY).state == "success"
    assert azure.blobs["partner"] == before
    assert s3.list_objects_v2(Bucket="platform-lake")["KeyCount"] == 1


@pytest.mark.covers("P09.3")
@pytest.mark.parametrize("spoiled", [KEY, f"by-path/{KEY}"])
def test_a_copy_that_lost_a_byte_fails_the_run(bigquery, s3, azure, spoiled):
    azure.spoil = {spoiled}
    done = run(DAG_ID, logical_date=DAY)
    assert done.of("failed") == {"verify_copies"}


@pytest.mark.covers("P09.3")
def test_without_the_three_providers_the_file_still_loads():
    assert tasks_without(DAG_ID, "amazon", "google", "microsoft") == [
        "copy_with_hooks",
        "copy_with_paths",
        "export_revenue",
        "verify_copies",
    ]


def test_a_missing_provider_fails_its_task_and_names_the_module(s3, azure):
    done = run(DAG_ID, logical_date=DAY)  # google is not installed here
    assert done.of("failed") == {"export_revenue"}
    assert done.of("upstream_failed") == {"copy_with_hooks", "copy_with_paths", "verify_copies"}
