"""HTTP answers as exception classes."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from airflow_usecases import rate_limit


def answer(status: int, **headers: str) -> SimpleNamespace:
    return SimpleNamespace(status_code=status, headers=headers, json=lambda: {"prices": {}})


def test_a_200_gives_its_body():
    assert rate_limit.body_of(answer(200)) == {"prices": {}}


def test_429_has_a_class_of_its_own_and_names_the_time_to_wait():
    with pytest.raises(rate_limit.RateLimited, match="Retry-After 30"):
        rate_limit.body_of(answer(429, **{"Retry-After": "30"}))


@pytest.mark.parametrize("status", [201, 302, 400, 401, 404, 500, 503])
def test_everything_else_is_refused(status):
    with pytest.raises(rate_limit.RequestRefused, match=str(status)):
        rate_limit.body_of(answer(status))


def test_neither_class_is_a_kind_of_the_other():
    assert not issubclass(rate_limit.RateLimited, rate_limit.RequestRefused)
    assert not issubclass(rate_limit.RequestRefused, rate_limit.RateLimited)
