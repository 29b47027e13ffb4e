"""Two kinds of failure of a remote service: the one that passes, and the one that stays.

A retry helps against a service that is overloaded or restarting. It does not help against a wrong address,
a revoked key or a malformed request: such a call fails the same way every time, so each retry only delays
the alert and loads the service. Airflow cannot know which is which; code that saw the answer can.
"""

from __future__ import annotations

from http import HTTPStatus


class RemoteError(Exception):
    """A call to a remote service failed; `status` is its HTTP status, or None when there was no answer."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class TransientError(RemoteError):
    """It may work in a minute: no answer, overload, an error of the service."""


class PermanentError(RemoteError):
    """It will not work until somebody changes something: a request that the service refuses."""


class RateLimited(TransientError):
    """The service asks for a pause (429)."""


# a 4xx status is the caller's fault, but for these, which only say "not now"
_NOT_NOW = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY})


def error_of(status: int, what: str) -> RemoteError | None:
    """The error that an HTTP status stands for, or None below 400.

    429 -> RateLimited; 408, 425 and 5xx -> TransientError; other 4xx -> PermanentError (RFC 9110, 15).
    """
    if status < HTTPStatus.BAD_REQUEST:
        return None
    message = f"{what} answered {status}"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimited(message, status)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _NOT_NOW:
        return TransientError(message, status)
    return PermanentError(message, status)
