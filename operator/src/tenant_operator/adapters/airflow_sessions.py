"""One Airflow client per tenant, kept as long as its address and credentials stay the same."""

from __future__ import annotations

import aiohttp

from tenant_operator.adapters.airflow_api import AirflowApi
from tenant_operator.adapters.airflow_http import client_session
from tenant_operator.core.airflow_types import AirflowPort
from tenant_operator.core.metrics import Metrics

#: Seconds for a probe: a health answer takes milliseconds, and dead Airflows must not hold up the others.
PROBE_TIMEOUT = 5.0


class AirflowSessions:
    """Clients by tenant, over one connection pool. Keeping a client keeps its token: a login costs 80 ms."""

    def __init__(self, url_template: str, metrics: Metrics | None = None) -> None:
        """`url_template` may hold {service}, {namespace} and {tenant}; requests are counted in `metrics`."""
        self._template = url_template
        self._observe = metrics.airflow_request if metrics is not None else None
        self._session: aiohttp.ClientSession | None = None
        self._clients: dict[str, tuple[tuple[str, str, str], AirflowApi]] = {}

    def client(self, tenant: str, namespace: str, service: str, username: str, password: str) -> AirflowPort:
        """The tenant's client; a new one when its address or credentials have changed."""
        url = self._url(tenant, namespace, service)
        key = (url, username, password)
        known = self._clients.get(tenant)
        if known is not None and known[0] == key:
            return known[1]
        made = AirflowApi(self._open(), url, username, password, observe=self._observe)
        self._clients[tenant] = (key, made)
        return made

    def prober(self, tenant: str, namespace: str, service: str) -> AirflowPort:
        """A client for what Airflow shows without a login, with little patience."""
        url = self._url(tenant, namespace, service)
        return AirflowApi(self._open(), url, "", "", timeout=PROBE_TIMEOUT, observe=self._observe)

    def _url(self, tenant: str, namespace: str, service: str) -> str:
        return self._template.format(service=service, namespace=namespace, tenant=tenant)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = client_session()
        return self._session

    def forget(self, tenant: str) -> None:
        """Drop a tenant that is gone."""
        self._clients.pop(tenant, None)

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
