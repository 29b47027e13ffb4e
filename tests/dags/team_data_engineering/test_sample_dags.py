"""The team's sample DAGs: an API into files, staging into a dimension."""

from __future__ import annotations

import datetime
import json

import pytest
from tests.dags.library import bag
from tests.dags.runner import run

DAY = datetime.datetime(2026, 3, 6, tzinfo=datetime.UTC)


def customers(page: int, following: int | None) -> dict:
    return {"items": [{"id": page * 10 + index} for index in range(2)], "next_page": following}


@pytest.mark.covers("D000-9")
def test_all_pages_of_the_api_are_in_the_file_of_the_day(httpserver, http_connection, tmp_path):
    http_connection("crm_api")
    for page, following in ((1, 2), (2, 3), (3, None)):
        httpserver.expect_request("/v2/customers", query_string={"page": str(page)}).respond_with_json(
            customers(page, following)
        )
    done = run("de_ingest_api", conf={"data_folder": str(tmp_path)}, logical_date=DAY)
    assert done.states == {"ingest_customers": "success", "check_rows": "success"}
    file = tmp_path / "2026-03-06.jsonl"
    assert done.xcom("ingest_customers") == {"path": str(file), "rows": 6, "pages": 3}
    ids = [json.loads(line)["id"] for line in file.read_text().splitlines()]
    assert ids == [10, 11, 20, 21, 30, 31]


@pytest.mark.covers("D000-9")
def test_a_page_that_fails_leaves_yesterdays_file_and_is_retried(httpserver, http_connection, tmp_path):
    http_connection("crm_api")
    file = tmp_path / "2026-03-06.jsonl"
    file.write_text('{"id": 1}\n')
    httpserver.expect_request("/v2/customers", query_string={"page": "1"}).respond_with_json(customers(1, 2))
    httpserver.expect_request("/v2/customers", query_string={"page": "2"}).respond_with_data("", status=503)
    done = run("de_ingest_api", conf={"data_folder": str(tmp_path)}, logical_date=DAY)
    assert done.states == {"ingest_customers": "failed", "check_rows": "upstream_failed"}
    assert done.tries("ingest_customers") == 4
    assert file.read_text() == '{"id": 1}\n'


@pytest.mark.covers("D000-9")
def test_an_empty_export_is_an_error(httpserver, http_connection, tmp_path):
    http_connection("crm_api")
    httpserver.expect_request("/v2/customers").respond_with_json({"items": [], "next_page": None})
    done = run("de_ingest_api", conf={"data_folder": str(tmp_path)}, logical_date=DAY)
    assert done.states["check_rows"] == "failed"


@pytest.fixture
def staging(postgres):
    postgres.connection("warehouse")
    postgres.execute(
        "CREATE TABLE stg_users (user_id BIGINT, name TEXT, country TEXT, loaded_at TIMESTAMPTZ)"
    )
    postgres.execute(
        "INSERT INTO stg_users VALUES (1, 'Ada', 'UK', now()), (2, 'Bob', 'US', now()),"
        " (2, 'Robert', 'US', now() + interval '1 hour')"
    )
    return postgres


@pytest.mark.covers("D000-9")
def test_users_are_added_changed_and_otherwise_left_alone(staging):
    assert run("de_dim_users").states == {"upsert_users": "success", "check_users": "success"}
    assert staging.execute("SELECT user_id, name, country FROM dim_users ORDER BY 1") == [
        (1, "Ada", "UK"),
        (2, "Robert", "US"),
    ]
    before = dict(staging.execute("SELECT user_id, updated_at FROM dim_users"))
    staging.execute("UPDATE stg_users SET country = 'FR' WHERE user_id = 1")
    run("de_dim_users")
    after = dict(staging.execute("SELECT user_id, updated_at FROM dim_users"))
    assert after[1] > before[1]
    assert after[2] == before[2]


@pytest.mark.covers("D000-9")
def test_a_user_without_country_fails_the_check(staging):
    staging.execute("INSERT INTO stg_users VALUES (3, 'Eve', NULL, now())")
    done = run("de_dim_users")
    assert done.state == "failed"
    assert done.states == {"upsert_users": "success", "check_users": "failed"}
    assert done.tries("check_users") == 1


@pytest.mark.covers("D000-9")
@pytest.mark.parametrize(
    ("dag_id", "purpose"), [("de_ingest_api", "ingestion"), ("de_dim_users", "transformation")]
)
def test_folder_tag_and_owner_agree(dag_id, purpose):
    dag = bag().dags[dag_id]
    assert f"team_data_engineering/{purpose}/" in dag.fileloc
    assert {"data_engineering", purpose} <= dag.tags
    assert {task.owner for task in dag.tasks} == {"data_engineering"}
