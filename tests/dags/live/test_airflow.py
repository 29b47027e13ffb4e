"""The live Airflow reads the whole library."""

from __future__ import annotations


def test_every_file_of_the_library_is_parsed_without_an_error(live):
    assert live.call("GET", "/api/v2/importErrors")["import_errors"] == []
