"""Pages until the last one, and never for ever."""

from __future__ import annotations

import pytest

from airflow_usecases import paged_api


def api(*following: int | None):
    return lambda page: {"items": [{"page": page}], "next_page": following[page - 1]}


def test_pages_are_read_until_there_is_no_next(tmp_path):
    file = tmp_path / "sub" / "day.jsonl"
    assert paged_api.ingest(api(2, 3, None), file) == {"path": str(file), "rows": 3, "pages": 3}
    assert file.read_text() == '{"page": 1}\n{"page": 2}\n{"page": 3}\n'


def test_an_api_that_goes_round_in_circles_is_refused():
    with pytest.raises(RuntimeError, match="page 2 is followed by page 1"):
        list(paged_api.pages(api(2, 1)))


def test_an_api_without_end_is_refused():
    with pytest.raises(RuntimeError, match="more than 1000"):
        list(paged_api.pages(lambda page: {"items": [], "next_page": page + 1}))


def test_a_failure_leaves_the_old_file_and_no_partial_content_under_its_name(tmp_path):
    file = tmp_path / "day.jsonl"
    file.write_text("old")

    def broken(page: int):
        if page == 2:
            raise OSError("gone")
        return {"items": [{}], "next_page": 2}

    with pytest.raises(OSError, match="gone"):
        paged_api.ingest(broken, file)
    assert file.read_text() == "old"
