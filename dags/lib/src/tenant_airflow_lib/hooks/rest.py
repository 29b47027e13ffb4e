"""JSON over HTTP through an Airflow connection, once for tasks (blocking) and triggers (async).

What is asked of a service is written as a generator that yields `Request`s and gets the decoded answers; a
hook drives it with `run` in a task and with `arun` in a trigger, so both see the same logic:

    def state_of(run_id: str) -> Call[str]:
        body = yield Request("GET", f"/runs/{run_id}")
        return str(body["state"])

    RestHook("my_conn").run(state_of("7"))
"""

from __future__ import annotations

import json
import logging
import ssl
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException, AirflowFailException

if TYPE_CHECKING:
    from airflow.sdk import Connection

log = logging.getLogger(__name__)

T = TypeVar("T")
DEFAULT_TIMEOUT = 30.0  # seconds, for connecting and for each read
_TOO_MANY_REQUESTS = 429
_SHOWN = 500  # characters of an answer that an error message repeats
# Keys of an http connection's extra that set the client; all others are headers, as in the http provider.
_OPTIONS = frozenset(
    {"timeout", "verify", "verify_ssl", "cert", "proxy", "proxies", "stream", "trust_env", "allow_redirects"}
    | {"max_redirects", "check_response", "srv_lookup"}
)


@dataclass(frozen=True)
class Request:
    """One call: `path` is appended to the connection's address; `json` is the body."""

    method: str
    path: str
    params: Mapping[str, Any] | None = None
    json: Any = None
    text: bool = False  # the answer is text, not JSON


Call: TypeAlias = Generator[Request, Any, T]


class ServiceUnavailable(AirflowException):
    """No answer, 5xx or 429: trying again may help, so the task's retries apply."""


class RequestRefused(AirflowFailException):
    """Any other 4xx: the same request fails again, so the task fails at once. `status` and `code` say why."""

    def __init__(self, message: str, status: int = 0, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code

    @property
    def not_found(self) -> bool:
        """The thing that was asked for does not exist."""
        return self.status == 404


@dataclass(frozen=True)
class Endpoint:
    """Where and how to call; from a connection or from a plain URI."""

    base_url: str
    headers: Mapping[str, str]
    auth: tuple[str, str] | None = None
    verify: bool | str = True
    timeout: float = DEFAULT_TIMEOUT

    @classmethod
    def of_uri(cls, uri: str, timeout: float) -> Endpoint:
        """A service without credentials at `uri`. ValueError unless it is http(s)."""
        if not uri.startswith(("http://", "https://")):
            raise ValueError(f"not an http(s) address: {uri!r}")
        return cls(uri.rstrip("/"), {}, timeout=timeout)

    @classmethod
    def of_connection(cls, connection: Connection, timeout: float, *, bearer: bool = True) -> Endpoint:
        """Read a connection the way the http provider does; `bearer`: a password without login is a token."""
        host = connection.host or ""
        base = host if "://" in host else f"{connection.schema or 'http'}://{host}"
        if connection.port:
            base = f"{base}:{connection.port}"
        extra = connection.extra_dejson
        headers = {name: str(value) for name, value in extra.items() if name not in _OPTIONS}
        auth = None
        if connection.login:
            auth = (connection.login, connection.password or "")
        elif bearer and connection.password:
            headers.setdefault("Authorization", f"Bearer {connection.password}")
        verify = extra.get("verify", extra.get("verify_ssl", True))
        return cls(base.rstrip("/"), headers, auth, verify, float(extra.get("timeout", timeout)))


class RestHook(BaseHook):
    """Call a JSON service that a connection (or, without one, `base_url`) names.

    `run` blocks and is for tasks, `arun` is for triggers. Both raise `ServiceUnavailable` (may be retried)
    and `RequestRefused` (may not). Every request has a timeout of `timeout` seconds; `timeout`, `verify` and
    headers in the connection's extra win.
    """

    conn_name_attr = "conn_id"
    default_conn_name = "http_default"
    conn_type = "http"
    hook_name = "REST"
    bearer = True  # a password without login goes out as a bearer token

    def __init__(
        self, conn_id: str | None = None, *, base_url: str | None = None, timeout: float = DEFAULT_TIMEOUT
    ) -> None:
        super().__init__()
        self.conn_id = conn_id or self.default_conn_name
        self.base_url = base_url
        self.timeout = timeout

    def run(self, call: Call[T]) -> T:
        """Drive `call` to its end with blocking requests."""
        import requests

        endpoint = self._endpoint()
        with requests.Session() as session:
            session.headers.update(endpoint.headers)
            session.auth = endpoint.auth
            session.verify = endpoint.verify

            def send(request: Request) -> Any:
                try:
                    response = session.request(
                        request.method,
                        endpoint.base_url + request.path,
                        params=request.params,
                        json=request.json,
                        timeout=endpoint.timeout,
                    )
                except requests.RequestException as error:
                    raise ServiceUnavailable(_no_answer(request, error)) from None
                return _decode(request, response.status_code, response.text)

            return _drive(call, send)

    async def arun(self, call: Call[T]) -> T:
        """Drive `call` to its end without blocking the event loop."""
        import aiohttp

        endpoint = await self._aendpoint()
        settings: dict[str, Any] = {
            "headers": dict(endpoint.headers),
            "auth": aiohttp.BasicAuth(*endpoint.auth) if endpoint.auth else None,
            "timeout": aiohttp.ClientTimeout(total=endpoint.timeout),
        }
        async with aiohttp.ClientSession(**settings) as session:
            verify = _ssl(endpoint.verify)

            async def send(request: Request) -> Any:
                try:
                    async with session.request(
                        request.method,
                        endpoint.base_url + request.path,
                        params=_text_values(request.params),
                        json=request.json,
                        ssl=verify,
                    ) as response:
                        body = await response.text()
                except (aiohttp.ClientError, TimeoutError) as error:
                    raise ServiceUnavailable(_no_answer(request, error)) from None
                return _decode(request, response.status, body)

            return await _adrive(call, send)

    def _endpoint(self) -> Endpoint:
        if self.base_url is not None:
            return Endpoint.of_uri(self.base_url, self.timeout)
        return Endpoint.of_connection(self.get_connection(self.conn_id), self.timeout, bearer=self.bearer)

    async def _aendpoint(self) -> Endpoint:
        if self.base_url is not None:
            return Endpoint.of_uri(self.base_url, self.timeout)
        connection = await self.aget_connection(self.conn_id)
        return Endpoint.of_connection(connection, self.timeout, bearer=self.bearer)


def _drive(call: Call[T], send: Any) -> T:
    try:
        request = next(call)
        while True:
            try:
                answer = send(request)
            except RequestRefused as error:
                request = call.throw(error)
            else:
                request = call.send(answer)
    except StopIteration as done:
        result: T = done.value
        return result


async def _adrive(call: Call[T], send: Any) -> T:
    try:
        request = next(call)
        while True:
            try:
                answer = await send(request)
            except RequestRefused as error:
                request = call.throw(error)
            else:
                request = call.send(answer)
    except StopIteration as done:
        result: T = done.value
        return result


def _decode(request: Request, status: int, body: str) -> Any:
    what = f"{request.method} {request.path}"
    if status >= 500 or status == _TOO_MANY_REQUESTS:
        raise ServiceUnavailable(f"{what}: HTTP {status}: {body[:_SHOWN]}")
    if request.text and status < 400:
        return body
    try:
        answer = json.loads(body) if body else {}
    except ValueError:
        if status < 400:
            raise ServiceUnavailable(f"{what}: HTTP {status}, but no JSON: {body[:_SHOWN]}") from None
        answer = {}
    if status >= 400:
        code = str(answer.get("error_code", "")) if isinstance(answer, dict) else ""
        raise RequestRefused(f"{what}: HTTP {status}: {body[:_SHOWN]}", status, code)
    return answer


def _no_answer(request: Request, error: Exception) -> str:
    # The library's own text names the whole address, with what may be secret in it.
    return f"{request.method} {request.path}: no answer ({type(error).__name__})"


def _text_values(params: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return {key: _text_value(value) for key, value in params.items()} if params is not None else None


def _text_value(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return value


def _ssl(verify: bool | str) -> Any:
    if isinstance(verify, str):
        return ssl.create_default_context(cafile=verify)
    return verify
