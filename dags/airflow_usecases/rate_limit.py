"""Answers of a partner's HTTP API as exceptions of their own, so that a retry rule can tell them apart.

Airflow's `RetryRule` matches exception *classes*, never their text: one class for each behaviour.
"""

from __future__ import annotations

import logging
from typing import Any, Protocol

log = logging.getLogger(__name__)

_TOO_MANY_REQUESTS = 429
_OK = 200


class RateLimited(Exception):
    """HTTP 429: the same request may succeed later."""


class RequestRefused(Exception):
    """Any other answer than 200: the same request fails again."""


class Answer(Protocol):
    """What is needed of a `requests.Response`."""

    @property
    def status_code(self) -> int:
        """The HTTP status."""

    @property
    def headers(self) -> Any:
        """Case-insensitive mapping."""

    def json(self) -> Any:
        """The body, parsed."""


def body_of(answer: Answer) -> Any:
    """The JSON body of a 200. Raises RateLimited for 429, RequestRefused for everything else."""
    if answer.status_code == _OK:
        return answer.json()
    if answer.status_code == _TOO_MANY_REQUESTS:
        raise RateLimited(f"status 429, Retry-After {answer.headers.get('Retry-After', 'not given')}")
    raise RequestRefused(f"status {answer.status_code}")


def log_retry(context: Any) -> None:
    """`on_retry_callback`: one line with the number of the try that failed; retries raise no alert."""
    ti = context["ti"]
    log.warning("try %d of %s failed: %s", ti.try_number, ti.task_id, context.get("exception"))
