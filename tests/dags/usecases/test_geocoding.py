"""Positions by a service behind a breaker."""

from __future__ import annotations

import datetime

import pytest

from airflow_usecases.circuit_breaker import Breaker, Circuit
from airflow_usecases.geocoding import ADDRESSES, estimate, load, locate, position_of_area, save
from airflow_usecases.remote_errors import PermanentError, TransientError

HERE = {"latitude": 1.0, "longitude": 2.0, "approximate": False}


@pytest.fixture
def breaker():
    return Breaker(threshold=2, reset_after=datetime.timedelta(minutes=1))


def test_an_address_that_fails_is_missing_and_the_next_is_still_asked_for(breaker):
    answers = iter([TransientError("down"), HERE, HERE, TransientError("down"), HERE])

    def ask(address):
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    located = locate(ADDRESSES, ask, breaker)
    assert located.calls == 5
    assert located.positions == dict.fromkeys(("C-2", "C-3", "C-5"), HERE)
    assert located.missing == ["C-1", "C-4"]


def test_an_open_circuit_leaves_the_rest_of_the_batch_unasked(breaker):
    def ask(address):
        raise TransientError("down")

    located = locate(ADDRESSES, ask, breaker)
    assert (located.calls, located.positions) == (2, {})
    assert len(located.missing) == 5
    assert breaker.circuit is Circuit.OPEN


def test_an_error_that_is_no_outage_is_raised(breaker):
    def ask(address):
        raise PermanentError("401", 401)

    with pytest.raises(PermanentError):
        locate(ADDRESSES, ask, breaker)
    assert breaker.failures == 0


def test_every_address_has_an_area():
    for address in ADDRESSES:
        assert position_of_area(address["postcode"])["approximate"] is True
    with pytest.raises(KeyError):
        position_of_area("9999")


def test_a_customer_is_estimated_by_the_postcode():
    assert estimate(ADDRESSES, ["C-5"]) == {"C-5": position_of_area("1204")}
    with pytest.raises(KeyError):
        estimate(ADDRESSES, ["C-9"])


def test_saved_positions_are_read_back_and_replaced(tmp_path):
    file = tmp_path / "run" / "located.json"
    assert load(save(file, {"C-1": HERE})) == {"C-1": HERE}
    assert load(save(file, {})) == {}
    assert [path.name for path in file.parent.iterdir()] == ["located.json"]
