"""Reading Airflow through its REST API."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import requests
from tests.dags.services.airflow_stub import USER, AirflowStub

from airflow_usecases.airflow_rest import AirflowRest, base_url


@pytest.mark.parametrize(
    ("host", "schema", "port", "url"),
    [
        ("airflow.example.com", None, None, "https://airflow.example.com"),
        ("airflow.example.com", "http", 8080, "http://airflow.example.com:8080"),
        ("http://localhost/", None, 8080, "http://localhost:8080"),
    ],
)
def test_the_address_of_a_connection(host, schema, port, url):
    assert base_url(SimpleNamespace(host=host, schema=schema, port=port)) == url


def test_a_connection_without_host_is_refused():
    with pytest.raises(ValueError, match="names no host"):
        base_url(SimpleNamespace(host=None, schema=None, port=None))


@pytest.fixture
def stub(httpserver):
    return AirflowStub(httpserver)


def login(httpserver, **user):
    url = httpserver.url_for("").rstrip("/")
    return AirflowRest.login(url, requests.Session(), *(USER | user).values())


@pytest.mark.parametrize("count", [0, 1, 100, 101, 250])
def test_every_entry_comes_once_whatever_the_number_of_pages(stub, httpserver, count):
    stub.lists["/api/v2/dags"] = ("dags", [{"dag_id": str(number)} for number in range(count)])
    found = [dag["dag_id"] for dag in login(httpserver).all("/api/v2/dags", "dags", paused=False)]
    assert found == [str(number) for number in range(count)]
    assert stub.queries["/api/v2/dags"]["paused"] == "False"


def test_refusals_are_errors(stub, httpserver):
    with pytest.raises(requests.HTTPError, match="401"):
        login(httpserver, password="wrong")
    with pytest.raises(requests.HTTPError, match="404"):
        list(login(httpserver).all("/api/v2/unknown", "unknown"))


def test_a_change_sends_only_what_changes(stub, httpserver):
    assert login(httpserver).patch("/api/v2/dags/shop", {"is_paused": True}) == {"is_paused": True}
    assert stub.changes == [("/api/v2/dags/shop", {"is_paused": True})]
