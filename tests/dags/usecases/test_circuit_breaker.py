"""Every transition of the circuit breaker, by a clock that the test turns."""

from __future__ import annotations

import datetime
import json

import pytest

from airflow_usecases.circuit_breaker import Breaker, Circuit, utc_now

MINUTE = datetime.timedelta(minutes=1)
START = datetime.datetime(2026, 3, 2, 12, tzinfo=datetime.UTC)
THRESHOLD = 3
RESET = 5 * MINUTE


class Clock:
    def __init__(self):
        self.now = START

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def breaker(clock):
    return Breaker(threshold=THRESHOLD, reset_after=RESET, clock=clock)


def open_circuit(breaker):
    for _ in range(THRESHOLD):
        breaker.failed()


def half_open_circuit(breaker):
    open_circuit(breaker)
    breaker.clock.now += RESET
    assert breaker.allows_call()


def nothing(breaker):
    pass


def one_failure(breaker):
    breaker.failed()


def all_but_one_failure(breaker):
    for _ in range(THRESHOLD - 1):
        breaker.failed()


def ask(breaker):
    breaker.allows_call()


def succeed(breaker):
    breaker.succeeded()


def fail(breaker):
    breaker.failed()


def rest_almost(breaker):
    breaker.clock.now += RESET - datetime.timedelta(microseconds=1)
    breaker.allows_call()


def rest(breaker):
    breaker.clock.now += RESET
    breaker.allows_call()


TRANSITIONS = [
    # before              event        circuit            failures  next call goes out
    (nothing, ask, Circuit.CLOSED, 0, True),
    (nothing, succeed, Circuit.CLOSED, 0, True),
    (nothing, fail, Circuit.CLOSED, 1, True),
    (one_failure, succeed, Circuit.CLOSED, 0, True),
    (one_failure, fail, Circuit.CLOSED, 2, True),
    (one_failure, rest, Circuit.CLOSED, 1, True),
    (all_but_one_failure, succeed, Circuit.CLOSED, 0, True),
    (all_but_one_failure, fail, Circuit.OPEN, 3, False),
    (open_circuit, ask, Circuit.OPEN, 3, False),
    (open_circuit, rest_almost, Circuit.OPEN, 3, False),
    (open_circuit, rest, Circuit.HALF_OPEN, 3, False),  # the probe went out with the event
    (open_circuit, succeed, Circuit.CLOSED, 0, True),  # an answer that came late
    (open_circuit, fail, Circuit.OPEN, 4, False),
    (half_open_circuit, ask, Circuit.HALF_OPEN, 3, False),
    (half_open_circuit, rest, Circuit.HALF_OPEN, 3, False),
    (half_open_circuit, succeed, Circuit.CLOSED, 0, True),
    (half_open_circuit, fail, Circuit.OPEN, 4, False),
]


@pytest.mark.covers("P07.3")
@pytest.mark.parametrize(("before", "event", "circuit", "failures", "allowed"), TRANSITIONS)
def test_every_event_in_every_state_leads_where_the_table_says(
    breaker, before, event, circuit, failures, allowed
):
    before(breaker)
    event(breaker)
    assert (breaker.circuit, breaker.failures) == (circuit, failures)
    assert breaker.allows_call() is allowed


@pytest.mark.covers("P07.3")
def test_an_open_circuit_lets_exactly_one_call_through_after_its_rest(breaker, clock):
    open_circuit(breaker)
    clock.now += RESET
    assert [breaker.allows_call() for _ in range(4)] == [True, False, False, False]


@pytest.mark.covers("P07.3")
def test_a_failed_probe_starts_the_rest_anew(breaker, clock):
    half_open_circuit(breaker)
    breaker.failed()
    assert breaker.opened_at == START + RESET
    clock.now += RESET - datetime.timedelta(seconds=1)
    assert not breaker.allows_call()
    clock.now += datetime.timedelta(seconds=1)
    assert breaker.allows_call()


@pytest.mark.covers("P07.3")
def test_only_failures_in_a_row_open_the_circuit(breaker):
    for _ in range(10):
        all_but_one_failure(breaker)
        breaker.succeeded()
    assert breaker.circuit is Circuit.CLOSED


@pytest.mark.covers("P07.3")
@pytest.mark.parametrize("before", [nothing, one_failure, open_circuit])
def test_a_breaker_comes_back_from_its_state_as_it_was(breaker, clock, before):
    before(breaker)
    kept = json.loads(json.dumps(breaker.to_state()))
    again = Breaker.from_state(kept, threshold=THRESHOLD, reset_after=RESET, clock=clock)
    assert again == breaker


@pytest.mark.covers("P07.3")
def test_a_probe_whose_run_died_is_made_again(breaker, clock):
    half_open_circuit(breaker)
    again = Breaker.from_state(breaker.to_state(), threshold=THRESHOLD, reset_after=RESET, clock=clock)
    assert again.circuit is Circuit.HALF_OPEN
    assert [again.allows_call(), again.allows_call()] == [True, False]


def test_without_a_state_the_circuit_is_closed(clock):
    breaker = Breaker.from_state(None, threshold=1, reset_after=RESET)
    assert (breaker.circuit, breaker.failures, breaker.opened_at) == (Circuit.CLOSED, 0, None)
    assert breaker.clock is utc_now


def test_the_clock_has_a_time_zone():
    assert utc_now().utcoffset() == datetime.timedelta(0)


@pytest.mark.parametrize(
    ("threshold", "reset", "reason"),
    [
        (0, RESET, "0 failures"),
        (1, datetime.timedelta(0), "longer than nothing"),
        (1, -RESET, "longer than nothing"),
    ],
)
def test_settings_that_make_no_sense_are_refused(threshold, reset, reason):
    with pytest.raises(ValueError, match=reason):
        Breaker(threshold=threshold, reset_after=reset)
