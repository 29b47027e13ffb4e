"""Airflow's assets in three catalogues.

The stubs keep what they are sent and answer as documented: DataHub's OpenAPI v3
(`/openapi/v3/entity/dataset`, https://docs.datahub.com/docs/api/openapi/openapi-usage-guide), Amundsen's
metadata service (`/table/...`, https://www.amundsen.io/amundsen/metadata/) and Unity Catalog's REST API 2.1
(`/api/2.1/unity-catalog/tables`, https://docs.unitycatalog.io).
"""

from __future__ import annotations

import json
import re
from urllib.parse import unquote

import pytest
from tests.dags.runner import run
from werkzeug import Request, Response

DAG_ID = "phase17_02_data_catalog"
TOKEN = "token-of-the-catalogue"
LOAD = {"dag_id": "load_orders", "task_id": "load"}
ASSETS = [
    {
        "name": "orders",
        "uri": "s3://lake/orders",
        "producing_tasks": [LOAD],
        "scheduled_dags": [{"dag_id": "report"}],
    },
    {"name": "report", "uri": "postgres://db/report", "producing_tasks": [], "consuming_tasks": []},
    {"name": "customers", "uri": "s3://lake/customers", "producing_tasks": [LOAD], "scheduled_dags": []},
]
DAGS = [
    {
        "dag_id": "load_orders",
        "description": "Loads orders",
        "owners": ["sales"],
        "tags": [{"name": "pii"}, {"name": "daily"}],
    },
    {"dag_id": "report", "description": None, "owners": ["finance"], "tags": []},
]


class Catalogue:
    """Entries by key; `writes` counts upserts per key."""

    def __init__(self):
        self.entries = {}
        self.writes = []

    def __call__(self, request: Request) -> Response:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return Response("no", 401)
        return self.answer(request, unquote(request.path))


class DataHub(Catalogue):
    area = "/openapi/v3/entity/dataset"

    def answer(self, request, path):
        if request.method == "GET":
            entry = self.entries.get(path.removeprefix(f"{self.area}/"))
            return Response(json.dumps(entry), 200) if entry else Response("{}", 404)
        assert request.method == "POST"
        for entry in request.get_json():
            assert set(entry) == {"urn", "datasetProperties", "globalTags", "ownership"}
            self.writes.append(entry["urn"])
            self.entries[entry["urn"]] = entry
        return Response(json.dumps(request.get_json()), 200)

    def keys(self):
        return {"orders", "report", "customers"} & {urn.split(",")[1] for urn in self.entries}


class Amundsen(Catalogue):
    area = "/table/"

    def answer(self, request, path):
        key = path.removeprefix(self.area)
        match = re.fullmatch(r"(\w+://airflow\.assets/\w+)(/description|/tag/(.+))?", key)
        table = self.entries.setdefault(match[1], {"description": None, "tags": []})
        if request.method == "GET":
            return Response(json.dumps(table), 200)
        assert request.method == "PUT"
        if match[3]:
            table["tags"] = sorted({*table["tags"], match[3]})
        else:
            self.writes.append(match[1])
            table["description"] = request.get_json()["description"]
        return Response("{}", 200)

    def keys(self):
        return {key.rsplit("/", 1)[1] for key, table in self.entries.items() if table["description"]}


class Unity(Catalogue):
    area = "/api/2.1/unity-catalog/tables"

    def answer(self, request, path):
        name = path.removeprefix(self.area).strip("/").removeprefix("airflow.assets.")
        if request.method == "POST":
            table = request.get_json()
            if table["name"] in self.entries:
                return Response('{"error_code": "TABLE_ALREADY_EXISTS"}', 409)
            self.writes.append(table["name"])
            self.entries[table["name"]] = table
            return Response(json.dumps(table), 200)
        if name not in self.entries:
            return Response('{"error_code": "TABLE_NOT_FOUND"}', 404)
        table = self.entries.pop(name) if request.method == "DELETE" else self.entries[name]
        return Response(json.dumps(table), 200)

    def keys(self):
        return set(self.entries)


KINDS = {"datahub": DataHub, "amundsen": Amundsen, "unity": Unity}


@pytest.fixture(params=sorted(KINDS))
def target(request, httpserver, http_connection, airflow_stub):
    """One kind of catalogue behind its connection, and an Airflow with three assets."""
    airflow_stub.lists = {"/api/v2/assets": ("assets", json.loads(json.dumps(ASSETS)))}
    airflow_stub.lists["/api/v2/dags"] = ("dags", DAGS)
    stub = KINDS[request.param]()
    stub.kind = request.param
    stub.airflow = airflow_stub
    http_connection(f"catalog_{request.param}", password=TOKEN)
    httpserver.expect_request(re.compile(re.escape(stub.area) + ".*")).respond_with_handler(stub)
    return stub


def publish(target):
    done = run(DAG_ID, conf={"catalogue": target.kind})
    assert done.state == "success"
    return done.xcom("publish_assets")


@pytest.mark.covers("P17.2")
def test_each_asset_is_written_once_and_the_second_run_writes_nothing(target):
    first = publish(target)
    assert first == {
        "created": 3,
        "updated": 0,
        "unchanged": 0,
        "assets": 3,
        "tagged": ["customers", "orders"],
    }
    assert target.keys() == {"orders", "report", "customers"}
    assert len(target.writes) == len(set(target.writes)) == 3
    before = json.dumps(target.entries, sort_keys=True)
    second = publish(target)
    assert (second["created"], second["updated"], second["unchanged"]) == (0, 0, 3)
    assert len(target.writes) == 3
    assert json.dumps(target.entries, sort_keys=True) == before


@pytest.mark.covers("P17.2")
def test_a_changed_asset_alone_is_written_again(target):
    publish(target)
    target.airflow.lists["/api/v2/assets"][1][1]["scheduled_dags"] = [{"dag_id": "mail"}]
    third = publish(target)
    assert (third["created"], third["updated"], third["unchanged"]) == (0, 1, 2)
    assert len(target.entries) == 3


@pytest.mark.covers("P17.2")
def test_owner_tags_and_lineage_come_from_the_dags(target):
    publish(target)
    [entry] = [json.dumps(entry) for key, entry in target.entries.items() if "orders" in key]
    assert "Loads orders" in entry
    assert "pii" in entry
    if target.kind != "amundsen":
        assert "sales" in entry
        assert '"consumers": "report"' in entry
        assert '"producers": "load_orders"' in entry


def test_a_catalogue_that_refuses_fails_the_task(target, http_connection):
    http_connection(f"catalog_{target.kind}", password="wrong")
    assert run(DAG_ID, conf={"catalogue": target.kind}).state == "failed"
