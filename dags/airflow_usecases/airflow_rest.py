"""Airflow's own REST API for tasks that look at Airflow itself; a task cannot read Airflow's database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

PAGE = 100  # Airflow cuts larger pages without a word
TIMEOUT = 10  # seconds


class Session(Protocol):
    """What is needed of a `requests.Session`."""

    def request(self, method: str, url: str, **options: Any) -> Any:
        """One request; the answer has `raise_for_status()` and `json()`."""


class Address(Protocol):
    """What is needed of an Airflow connection of type http."""

    host: str | None
    schema: str | None
    port: int | None


def base_url(connection: Address) -> str:
    """`scheme://host[:port]` of an http connection, https by default. Raises ValueError without host."""
    if not connection.host:
        raise ValueError("the connection names no host")
    url = connection.host.rstrip("/")
    if "://" not in url:
        url = f"{connection.schema or 'https'}://{url}"
    return f"{url}:{connection.port}" if connection.port else url


class AirflowRest:
    """Reads and changes Airflow at `url` with a token.

    Each call raises `requests.HTTPError` for an answer above 399.
    """

    def __init__(self, url: str, session: Session, token: str) -> None:
        self._url = url.rstrip("/")
        self._session = session
        self._token = token

    @classmethod
    def login(cls, url: str, session: Session, username: str, password: str) -> AirflowRest:
        """Exchange a user's name and password for a token (`POST /auth/token`)."""
        credentials = {"username": username, "password": password}
        answer = session.request("POST", f"{url.rstrip('/')}/auth/token", json=credentials, timeout=TIMEOUT)
        answer.raise_for_status()
        return cls(url, session, answer.json()["access_token"])

    def get(self, path: str, **query: Any) -> Mapping[str, Any]:
        """One page."""
        return self._call("GET", path, params=query)

    def patch(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Change what `body` names; returns the changed object."""
        return self._call("PATCH", path, json=body)

    def all(self, path: str, key: str, **query: Any) -> Iterator[Mapping[str, Any]]:
        """Every entry of a list, page by page; `key` names the list in the answer."""
        offset, total = 0, 1
        while offset < total:
            page = self.get(path, limit=PAGE, offset=offset, **query)
            yield from page[key]
            offset, total = offset + PAGE, page["total_entries"]

    def _call(self, method: str, path: str, **options: Any) -> Mapping[str, Any]:
        answer = self._session.request(
            method,
            self._url + path,
            headers={"Authorization": f"Bearer {self._token}"},
            timeout=TIMEOUT,
            **options,
        )
        answer.raise_for_status()
        body: Mapping[str, Any] = answer.json()
        return body
