"""HTTP to one Airflow: login, tokens, deadlines, and answers that are never trusted.

A tenant's DAG code may reach its own Airflow, so what comes from there is bounded in size and time, is
never decompressed and never followed elsewhere by redirects.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

from tenant_operator.core.airflow_errors import AirflowLoginFailed, AirflowUnavailable

MAX_BODY = 16 * 1024 * 1024
DEFAULT_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}
#: shorter than the 5 s after which uvicorn closes an idle connection
_KEEPALIVE = 4.0
_NOT_READY = frozenset({429, 502, 503, 504})

Params = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and its parsed JSON body (None when there is none)."""

    status: int
    body: Any

    @property
    def ok(self) -> bool:
        """Whether the request was carried out."""
        return 200 <= self.status < 300


def client_session() -> aiohttp.ClientSession:
    """A session that any number of tenants may share: no cookies, no decompression."""
    return aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        headers=DEFAULT_HEADERS,
        connector=aiohttp.TCPConnector(limit=64, limit_per_host=8, keepalive_timeout=_KEEPALIVE),
    )


class Transport:
    """Requests with the operator's token, made when needed and renewed when Airflow refuses it.

    `timeout` is for reads, `write_timeout` for writes and logins, both in seconds and for the whole
    request; at most `concurrency` requests are under way at once.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        username: str,
        password: str,
        *,
        timeout: float = 20.0,
        write_timeout: float = 60.0,
        concurrency: int = 4,
        observe: Callable[[str, str, float], None] | None = None,
    ) -> None:
        # `observe` is told method, code (`error` when there was no answer) and seconds of each request.
        self._observe = observe
        self._session = session
        self._url = url.rstrip("/")
        self._username = username
        self._password = password
        self._read = aiohttp.ClientTimeout(total=timeout, connect=min(timeout, 5.0))
        self._write = aiohttp.ClientTimeout(total=write_timeout, connect=min(write_timeout, 5.0))
        self._slots = asyncio.Semaphore(concurrency)
        self._login = asyncio.Lock()
        self._token = ""

    async def get(self, path: str, params: Params = (), *, public: bool = False) -> Any:
        """The body of a successful GET. Raises AirflowUnavailable for every other answer.

        `public` is for what Airflow shows without a login.
        """
        answer = await (self._send("GET", path, params) if public else self.request("GET", path, params))
        if not answer.ok or not isinstance(answer.body, dict):
            raise AirflowUnavailable(f"GET {path}: {answer.status} {explain(answer.body)}".rstrip())
        return answer.body

    async def request(self, method: str, path: str, params: Params = (), body: Any = None) -> Answer:
        """Send with a token; any answer that is about the request itself is returned, not raised."""
        token = self._token or await self._new_token("")
        answer = await self._send(method, path, params, body, token)
        if _token_refused(answer):
            answer = await self._send(method, path, params, body, await self._new_token(token))
        if _token_refused(answer) or answer.status == 403:
            raise AirflowLoginFailed(
                f"{method} {path}: user {self._username} is refused: {explain(answer.body)}"
            )
        return answer

    async def _new_token(self, refused: str) -> str:
        """Log in, once for all requests that found the same token refused."""
        async with self._login:
            if self._token == refused:
                credentials = {"username": self._username, "password": self._password}
                answer = await self._send("POST", "/auth/token", body=credentials)
                token = answer.body.get("access_token") if isinstance(answer.body, dict) else None
                if not answer.ok or not isinstance(token, str):
                    if answer.status >= 500 or answer.status == 404:
                        raise AirflowUnavailable(f"login: {answer.status} {explain(answer.body)}")
                    raise AirflowLoginFailed(f"user {self._username}: {explain(answer.body)}")
                self._token = token
            return self._token

    async def _send(
        self,
        method: str,
        path: str,
        params: Params = (),
        body: Any = None,
        token: str = "",
        *,
        again: bool = True,
    ) -> Answer:
        """One request, repeated once if Airflow hangs up: all of ours may safely be sent twice."""
        url = URL(self._url + path, encoded=True).with_query(list(params))
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        deadline = self._read if method == "GET" else self._write
        code, started = "error", time.perf_counter()
        try:
            async with self._slots:
                started = time.perf_counter()
                async with self._session.request(
                    method, url, json=body, headers=headers, timeout=deadline, allow_redirects=False
                ) as response:
                    answer = Answer(response.status, await _json(response))
                    code = str(response.status)
        except TimeoutError:
            raise AirflowUnavailable(f"{method} {path}: no answer in {deadline.total:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            if not (again and _hung_up(error)):
                # `from None`: the cause may hold headers, and thus a token, when it is logged
                raise AirflowUnavailable(f"{method} {path}: {type(error).__name__}") from None
        else:
            return _ready(f"{method} {path}", answer)
        finally:
            if self._observe is not None:
                self._observe(method, code, time.perf_counter() - started)
        return await self._send(method, path, params, body, token, again=False)


def _hung_up(error: Exception) -> bool:
    """Whether a kept connection turned out to be closed, as uvicorn does after an internal error."""
    hung_up = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)
    return isinstance(error, hung_up) and not isinstance(error, aiohttp.ClientConnectorError)


def _ready(what: str, answer: Answer) -> Answer:
    if answer.status in _NOT_READY:
        raise AirflowUnavailable(f"{what}: {answer.status} {explain(answer.body)}".rstrip())
    return answer


async def _json(response: aiohttp.ClientResponse) -> Any:
    """The parsed body, None if empty or no JSON. Raises AirflowUnavailable when it is too large."""
    received = bytearray()
    async for chunk in response.content.iter_chunked(65536):
        received += chunk
        if len(received) > MAX_BODY:
            raise AirflowUnavailable(f"{response.url.path}: the answer is larger than {MAX_BODY >> 20} MiB")
    try:
        return json.loads(received)
    except ValueError:
        return None


def _token_refused(answer: Answer) -> bool:
    """401 for an expired or missing token, 403 with its own words for any other bad one."""
    return answer.status == 401 or (answer.status == 403 and explain(answer.body) == "Invalid JWT token")


def explain(body: Any) -> str:
    """Airflow's reason in a few words. Never the `input` of a validation error: it holds secrets."""
    detail = body.get("detail") if isinstance(body, dict) else None
    if isinstance(detail, dict):
        detail = detail.get("reason")
    if isinstance(detail, list):
        detail = "; ".join(_validation(item) for item in detail[:3] if isinstance(item, dict))
    return detail[:300] if isinstance(detail, str) else ""


def _validation(item: dict[str, Any]) -> str:
    place = [str(part) for part in item.get("loc", ()) if not isinstance(part, int)]
    return f"{place[-1] if place else 'body'}: {item.get('msg', 'not valid')}"
