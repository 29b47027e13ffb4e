"""Entries of a catalogue."""

from __future__ import annotations

import json

import pytest
import requests

from airflow_usecases import catalog

ASSET = {"name": "a", "uri": "s3://x/a", "producing_tasks": [{"dag_id": "gone"}, {"dag_id": "load"}]}
DAG = {"dag_id": "load", "description": "Loads", "owners": ["b", "a"], "tags": [{"name": "z"}, {"name": "y"}]}


def test_an_entry_takes_owners_and_tags_of_known_producers():
    [entry] = catalog.entries([ASSET], [DAG])
    assert (entry.platform, entry.owners, entry.tags) == ("s3", ("a", "b"), ("y", "z"))
    assert entry.producers == ("gone", "load")
    assert catalog.tagged([entry], "y") == ["a"]
    assert catalog.tagged([entry], "q") == []


def test_the_fingerprint_depends_on_content_not_on_order():
    turned = DAG | {"owners": ["a", "b"], "tags": DAG["tags"][::-1]}
    [one], [two] = catalog.entries([ASSET], [DAG]), catalog.entries([ASSET], [turned])
    assert one.fingerprint == two.fingerprint
    [other] = catalog.entries([ASSET | {"uri": "s3://x/b"}], [DAG])
    assert other.fingerprint != one.fingerprint


def test_an_asset_that_nobody_produces_has_a_description_too():
    [entry] = catalog.entries([{"name": "a", "uri": "orders"}], [])
    assert (entry.description, entry.platform) == ("Asset a of Airflow", "airflow")


class Unity:
    """A `requests.Session` to a Unity Catalog that refuses some comments."""

    def __init__(self):
        self.tables = {}

    def request(self, method, url, **options):
        body = options.get("json")
        answer = requests.Response()
        answer.status_code = 200
        name = url.rsplit(".", 1)[-1]
        if method == "POST":
            if body["comment"] == "refused":
                answer.status_code = 400
            else:
                self.tables[body["name"]] = body | {"table_id": len(self.tables)}
        elif name not in self.tables:
            answer.status_code = 404
        else:
            answer._content = json.dumps(self.tables[name]).encode()
            if method == "DELETE":
                del self.tables[name]
        return answer


def test_a_replacement_that_unity_catalog_refuses_leaves_the_old_entry():
    unity = Unity()
    adapter = catalog.UnityCatalog("https://unity.example.com", unity)
    [old] = catalog.entries([ASSET], [DAG])
    [new] = catalog.entries([ASSET], [DAG | {"description": "refused"}])
    assert catalog.publish(adapter, [old])["created"] == 1
    with pytest.raises(requests.HTTPError):
        catalog.publish(adapter, [new])
    assert adapter.current(old) == old.fingerprint
    assert unity.tables["a"]["comment"] == "Loads"
