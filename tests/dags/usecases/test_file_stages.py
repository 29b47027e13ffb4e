"""Names, checksums and threads of the split pipeline."""

from __future__ import annotations

import threading

import pytest

from airflow_usecases import file_stages


def test_names_are_upper_case_and_trimmed():
    assert [file_stages.normalise(name) for name in ("A.txt", " b.TXT ")] == ["A.TXT", "B.TXT"]


def test_an_empty_name_is_refused():
    with pytest.raises(ValueError, match="empty"):
        file_stages.normalise("  ")


@pytest.mark.covers("D000-10")
def test_four_chunks_are_worked_on_at_the_same_time_and_not_five(monkeypatch):
    together = threading.Barrier(4, timeout=10)
    active, most = 0, 0
    lock = threading.Lock()

    def slow(name: str) -> str:
        nonlocal active, most
        with lock:
            active += 1
            most = max(most, active)
        together.wait()  # passes only when four are here
        with lock:
            active -= 1
        together.wait()
        return name.lower()

    monkeypatch.setattr(file_stages, "checksum", slow)
    names = [f"F{index}" for index in range(8)]
    assert file_stages.checksums(names, 4) == {name: name.lower() for name in names}
    assert most == 4


def test_an_error_in_a_thread_is_raised(monkeypatch):
    def broken(name: str) -> str:
        raise OSError(name)

    monkeypatch.setattr(file_stages, "checksum", broken)
    with pytest.raises(OSError, match="A"):
        file_stages.checksums(["A"], 4)


def test_missing_and_wrong_checksums_are_found():
    good = file_stages.checksums(["A", "B"], 2)
    assert file_stages.mismatches(["A", "B"], good) == []
    assert file_stages.mismatches(["A", "B", "C"], good | {"B": "0"}) == ["B", "C"]
