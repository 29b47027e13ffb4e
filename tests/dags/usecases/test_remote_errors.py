"""Which HTTP answers are worth another try."""

from __future__ import annotations

import pytest

from airflow_usecases.remote_errors import PermanentError, RateLimited, TransientError, error_of


@pytest.mark.parametrize("status", [200, 204, 304, 399])
def test_below_400_there_is_no_error(status):
    assert error_of(status, "the service") is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, PermanentError),
        (401, PermanentError),
        (404, PermanentError),
        (422, PermanentError),
        (408, TransientError),
        (425, TransientError),
        (500, TransientError),
        (503, TransientError),
        (429, RateLimited),
    ],
)
def test_an_error_says_whether_it_passes(status, kind):
    error = error_of(status, "the service")
    assert type(error) is kind
    assert error.status == status
    assert str(error) == f"the service answered {status}"


def test_a_rate_limit_passes():
    assert issubclass(RateLimited, TransientError)
    assert not issubclass(TransientError, PermanentError)
