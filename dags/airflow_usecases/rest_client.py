"""A polite client of a REST API: one OAuth2 token, pages, and the pauses that a server asks for.

The pieces fit `HttpOperator` and `HttpHook`: `ClientCredentials` is their `auth_type`, `next_page` the
operator's `pagination_function`, `POLITE` its `retry_args` (with `extra_options={"check_response": False}`,
so that the answer, not an exception without its headers, decides).
"""

from __future__ import annotations

import email.utils
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import requests
import tenacity
from requests.auth import AuthBase

from airflow_usecases.remote_errors import error_of

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

TOKEN_PATH = "/oauth/token"  # noqa: S105 - a path
TIMEOUT = 10.0  # seconds for a token
LEEWAY = 30.0  # seconds before its end at which a token counts as expired
ATTEMPTS = 5
MAX_PAUSE = 60.0
"""Longest pause, in seconds, for which a task waits; for a longer one it fails, and its retry waits instead,
without a worker's slot."""

_TOO_MANY_REQUESTS = 429
_UNAUTHORIZED = 401
_lock = threading.Lock()
_tokens: dict[tuple[str, str], tuple[str, float]] = {}


class ClientCredentials(AuthBase):
    """OAuth2 client credentials (RFC 6749, section 4.4): login and password are client id and secret.

    The token comes from `TOKEN_PATH` of the same host, once per process, and stays in its memory: never in
    an XCom or a log. It is fetched again when it expires, or once when the API answers 401. Raises
    RemoteError when there is none.
    """

    def __init__(self, client_id: str, client_secret: str) -> None:
        self._client = (client_id, client_secret)

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Sign the request."""
        request.headers["Authorization"] = f"Bearer {self._token(str(request.url))}"
        request.register_hook("response", self._renew)
        return request

    def _token(self, url: str) -> str:
        address = urljoin(url, TOKEN_PATH)
        with _lock:
            token, expires = _tokens.get((address, self._client[0]), ("", 0.0))
            if time.monotonic() >= expires:
                token, expires = self._fetch(address)
                _tokens[address, self._client[0]] = (token, expires)
        return token

    def _fetch(self, address: str) -> tuple[str, float]:
        answer = requests.post(
            address, data={"grant_type": "client_credentials"}, auth=self._client, timeout=TIMEOUT
        )
        error = error_of(answer.status_code, "token endpoint")
        if error:
            raise error
        body = answer.json()
        return body["access_token"], time.monotonic() + max(float(body.get("expires_in", 300)) - LEEWAY, 0)

    def _renew(self, answer: Response, **send: Any) -> Response:
        """A token may be revoked before its end: try once with a new one."""
        used = str(answer.request.headers.get("Authorization", ""))
        if answer.status_code != _UNAUTHORIZED:
            return answer
        forget_token(str(answer.request.url), self._client[0], used.removeprefix("Bearer "))
        answer.content  # noqa: B018 - read it, so that its connection can be used again
        answer.close()
        again = answer.request.copy()
        again.hooks["response"] = []
        again.headers["Authorization"] = f"Bearer {self._token(str(again.url))}"
        renewed = answer.connection.send(again, **send)
        renewed.history.append(answer)
        return renewed


def forget_token(url: str, client_id: str, token: str | None = None) -> None:
    """Drop the token for a host, if it is `token` or none is given: another thread may have a newer one."""
    key = (urljoin(url, TOKEN_PATH), client_id)
    with _lock:
        if key in _tokens and token in (None, _tokens[key][0]):
            del _tokens[key]


def pause_of(headers: Mapping[str, str], now: datetime | None = None) -> float:
    """The seconds of a Retry-After header (RFC 9110, section 10.2.3: seconds or a date), 1 without."""
    value = headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return 1.0
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())


def next_page(answer: Response) -> dict[str, Any] | None:
    """What to change for the next page: the `next` cursor of the body; None on the last one.

    Raises RateLimited, TransientError or PermanentError for an answer that is none.
    """
    error = error_of(answer.status_code, "API")
    if error:
        raise error
    cursor = answer.json().get("next")
    return {"data": {"cursor": cursor}} if cursor else None


def _asks_for_a_pause(answer: Response) -> bool:
    return answer.status_code == _TOO_MANY_REQUESTS and pause_of(answer.headers) <= MAX_PAUSE


def _pause(state: tenacity.RetryCallState) -> float:
    return pause_of(state.outcome.result().headers) if state.outcome else 0.0


def _last_answer(state: tenacity.RetryCallState) -> Any:
    return state.outcome.result() if state.outcome else None


POLITE: dict[str, Any] = {
    "retry": tenacity.retry_if_result(_asks_for_a_pause),
    "wait": _pause,
    "stop": tenacity.stop_after_attempt(ATTEMPTS),
    "retry_error_callback": _last_answer,  # the answer, not tenacity's RetryError
}
"""Tenacity's arguments: on 429 wait as long as the server asks for, at most ATTEMPTS times."""
