"""Entries of a catalogue."""

from __future__ import annotations

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
