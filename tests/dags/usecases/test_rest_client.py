"""Tokens, pauses and pages of the REST client."""

from __future__ import annotations

import datetime
from types import SimpleNamespace

import pytest
import requests
from requests.structures import CaseInsensitiveDict

from airflow_usecases import rest_client
from airflow_usecases.remote_errors import PermanentError, RateLimited, TransientError

NOW = datetime.datetime(2026, 3, 1, 12, 0, 0, tzinfo=datetime.UTC)


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(rest_client, "_tokens", {})
    monkeypatch.setattr(rest_client.time, "monotonic", lambda: clock.now)
    return clock


@pytest.fixture
def server(httpserver, clock):
    """Gives out token-1, token-2, ...; `good` is the one that the API accepts."""
    from werkzeug import Response

    server = SimpleNamespace(
        tokens=0, good=None, status=200, expires=600, url=httpserver.url_for("/v1/things")
    )

    def token(_request):
        server.tokens += 1
        return Response(
            f'{{"access_token": "token-{server.tokens}", "expires_in": {server.expires}}}',
            status=server.status,
            content_type="application/json",
        )

    def things(request):
        good = server.good in (None, request.headers["Authorization"].removeprefix("Bearer "))
        return Response("[]", status=200 if good else 401)

    httpserver.expect_request("/oauth/token").respond_with_handler(token)
    httpserver.expect_request("/v1/things").respond_with_handler(things)
    return server


def get(server, client="shop"):
    return requests.get(server.url, auth=rest_client.ClientCredentials(client, "s3cret"), timeout=5)


@pytest.mark.covers("P09.2")
def test_a_token_is_kept_until_shortly_before_its_end(server, clock):
    get(server)
    clock.now += 600 - rest_client.LEEWAY - 1
    get(server)
    assert server.tokens == 1
    clock.now += 1
    get(server)
    assert server.tokens == 2


def test_each_client_has_its_own_token(server):
    get(server)
    get(server, "other")
    assert server.tokens == 2


def test_a_revoked_token_is_renewed_once(server):
    get(server)
    server.good = "token-2"
    answer = get(server)
    assert (answer.status_code, server.tokens) == (200, 2)
    assert [old.status_code for old in answer.history] == [401]
    server.good = "none"
    assert get(server).status_code == 401
    assert server.tokens == 3


@pytest.mark.parametrize(("status", "error"), [(401, PermanentError), (503, TransientError)])
def test_without_a_token_the_reason_is_raised_without_the_secret(server, status, error):
    server.status = status
    with pytest.raises(error, match="token endpoint") as caught:
        get(server)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("Sun, 01 Mar 2026 12:01:30 GMT", 90.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("soon", 1.0),
        ("-5", 1.0),
        ("", 1.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(value, seconds):
    assert rest_client.pause_of(CaseInsensitiveDict({"retry-after": value}), NOW) == seconds
    assert rest_client.pause_of({}, NOW) == 1.0


@pytest.mark.parametrize(
    ("status", "error"), [(429, RateLimited), (500, TransientError), (404, PermanentError)]
)
def test_a_page_that_is_none_is_an_error(status, error):
    with pytest.raises(error):
        rest_client.next_page(SimpleNamespace(status_code=status))


def test_the_cursor_leads_to_the_next_page_until_there_is_none():
    assert rest_client.next_page(SimpleNamespace(status_code=200, json=lambda: {"next": "n2"})) == {
        "data": {"cursor": "n2"}
    }
    assert rest_client.next_page(SimpleNamespace(status_code=200, json=lambda: {"next": None})) is None
