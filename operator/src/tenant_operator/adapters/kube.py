"""The Kubernetes API over the official client's asyncio side: plain JSON in, plain JSON out.

Only the client's transport is used (configuration, credentials, TLS, connection pool). Its models
reject fields that they do not know, and its dynamic client needs discovery calls at start.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import aiohttp
from kubernetes.aio import client, config

from tenant_operator.core import names
from tenant_operator.core.errors import Conflict, Forbidden, KubeError, NotFound
from tenant_operator.core.kinds import EVENT, Kind, Object
from tenant_operator.core.metrics import Metrics
from tenant_operator.core.ports import Clock
from tenant_operator.core.serial import json_as_yaml

log = logging.getLogger(__name__)

_TIMEOUT = 30.0
_PAGE = 500
_METADATA = "application/json;as={};v=v1;g=meta.k8s.io,application/json"
#: With a parameter the client sends bytes as they are, where it would write JSON that is not YAML.
_APPLY = "application/apply-patch+yaml; charset=utf-8"
_ERRORS: Mapping[int, type[KubeError]] = {403: Forbidden, 404: NotFound, 409: Conflict}


async def connect(*, kubeconfig: str | None = None, pool: int = 64) -> client.ApiClient:
    """A client for a kubeconfig, or for the cluster around the process when none is given or set.

    Raises SystemExit with one sentence when there is neither.
    """
    configuration = client.Configuration()
    path = kubeconfig or os.environ.get("KUBECONFIG")
    try:
        if os.environ.get("KUBERNETES_SERVICE_HOST") and not path:
            config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        else:
            await config.load_kube_config(path, client_configuration=configuration)  # type: ignore[no-untyped-call]
    except config.ConfigException as error:
        raise SystemExit(f"no cluster: {error}. Run in a pod, or set KUBECONFIG") from None
    configuration.connection_pool_maxsize = pool
    return client.ApiClient(configuration)


class KubeClient:
    """Implements core.ports.Kube."""

    def __init__(self, api: client.ApiClient, clock: Clock, metrics: Metrics) -> None:
        """Take over an open client; `close` ends it."""
        self._api = api
        self._clock = clock
        self._metrics = metrics

    async def close(self) -> None:
        """Close the connections."""
        await self._api.close()  # type: ignore[no-untyped-call]

    async def server_version(self) -> str:
        """The cluster's version as Helm wants it: v1.34.4."""
        answer = await self._call("GET", "/version")
        return str(answer["gitVersion"])

    async def served(self, wanted: Iterable[Kind]) -> frozenset[Kind]:
        """Those of some kinds that the cluster serves, in the very version, by its own discovery."""
        kinds = set(wanted)
        answer = await self._call("GET", "/apis")
        versions = {
            str(version["groupVersion"]) for group in answer["groups"] for version in group["versions"]
        }
        found = set()
        for api_version in {kind.api_version for kind in kinds} & versions:
            listed = await self._call("GET", f"/apis/{api_version}")
            plurals = {str(resource["name"]) for resource in listed.get("resources") or []}
            found |= {kind for kind in kinds if kind.api_version == api_version and kind.plural in plurals}
        return frozenset(found)

    async def get(self, kind: Kind, name: str, namespace: str = "") -> Object:
        """See core.ports.Kube."""
        return await self._call("GET", kind.path(namespace, name))

    async def list_all(
        self, kind: Kind, namespace: str = "", labels: str = "", *, metadata_only: bool = False
    ) -> tuple[list[Object], str]:
        """All objects and the resourceVersion from which to watch."""
        items: list[Object] = []
        query: dict[str, str] = {"limit": str(_PAGE)}
        if labels:
            query["labelSelector"] = labels
        accept = _METADATA.format("PartialObjectMetadataList") if metadata_only else ""
        while True:
            page = await self._call("GET", kind.path(namespace), query=query, accept=accept)
            items += [
                {**item, "apiVersion": kind.api_version, "kind": kind.kind}
                for item in page.get("items") or []
            ]
            metadata = page.get("metadata", {})
            if not metadata.get("continue"):
                return items, str(metadata.get("resourceVersion", ""))
            query["continue"] = metadata["continue"]

    async def list(self, kind: Kind, namespace: str = "", labels: str = "") -> list[Object]:
        """See core.ports.Kube; reads page by page, so that a large list costs no large answer."""
        items, _ = await self.list_all(kind, namespace, labels)
        return items

    async def create(self, kind: Kind, obj: Object) -> Object:
        """See core.ports.Kube."""
        namespace = obj["metadata"].get("namespace", "")
        return await self._call("POST", kind.path(namespace), body=obj, query=_managed())

    async def apply(self, kind: Kind, obj: Object, *, subresource: str = "") -> Object:
        """See core.ports.Kube."""
        metadata = obj["metadata"]
        path = kind.path(metadata.get("namespace", ""), metadata["name"], subresource)
        return await self._call(
            "PATCH",
            path,
            body=json_as_yaml(obj).encode(),
            query={**_managed(), "force": "true"},
            content=_APPLY,
        )

    async def merge(
        self, kind: Kind, name: str, patch: Object, namespace: str = "", *, subresource: str = ""
    ) -> Object:
        """See core.ports.Kube."""
        return await self._call(
            "PATCH",
            kind.path(namespace, name, subresource),
            body=patch,
            query=_managed(),
            content="application/merge-patch+json",
        )

    async def delete(self, kind: Kind, name: str, namespace: str = "", *, uid: str = "") -> bool:
        """See core.ports.Kube."""
        body: Object = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        if uid:
            body["preconditions"] = {"uid": uid}
        try:
            await self._call("DELETE", kind.path(namespace, name), body=body)
        except NotFound:
            return False
        return True

    async def event(self, about: Object, kind: str, reason: str, message: str) -> None:
        """See core.ports.Kube. An Event about a cluster-scoped object lives in namespace `default`."""
        metadata = about["metadata"]
        stamp = datetime.fromtimestamp(self._clock.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{metadata['name']}.", "namespace": "default"},
            "involvedObject": {
                "apiVersion": about["apiVersion"],
                "kind": about["kind"],
                "name": metadata["name"],
                "uid": metadata.get("uid", ""),
                "resourceVersion": metadata.get("resourceVersion", ""),
            },
            "type": kind,
            "reason": reason,
            "message": message[:1024],
            "source": {"component": names.FIELD_MANAGER},
            "firstTimestamp": stamp,
            "lastTimestamp": stamp,
            "count": 1,
        }
        try:
            await self._call("POST", EVENT.path("default"), body=event)
        except KubeError as error:
            log.warning("cannot post event %s: %s", reason, error)

    async def watch(
        self, kind: Kind, version: str, labels: str, *, metadata_only: bool, seconds: int
    ) -> AsyncIterator[Object]:
        """Events of a kind since `version` until the server ends the stream (after `seconds` at most).

        Yields the raw watch events ({type, object}); an ERROR event raises KubeError with its code
        (410: the version is too old, list again).
        """
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "labelSelector": labels,
            "resourceVersion": version,
            "timeoutSeconds": str(seconds),
        }
        accept = _METADATA.format("PartialObjectMetadata") if metadata_only else ""
        limits = aiohttp.ClientTimeout(total=seconds + 30, sock_connect=10, sock_read=seconds + 30)
        response = await self._send("GET", kind.path(), query=query, accept=accept, limits=limits)
        try:
            if response.status != 200:
                raise _error(response.status, await response.response.read())
            async for line in _lines(response.response.content):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    status = event["object"]
                    raise KubeError(int(status.get("code", 0)), str(status.get("message", "")))
                yield event
        except (aiohttp.ClientError, TimeoutError) as error:
            raise KubeError(0, f"watch of {kind.plural} broke: {error!r}") from error
        finally:
            response.response.close()

    async def _call(
        self,
        method: str,
        path: str,
        *,
        body: Object | bytes | None = None,
        query: Mapping[str, str] | None = None,
        content: str = "application/json",
        accept: str = "",
    ) -> Object:
        for attempt in range(4):
            try:
                response = await self._send(
                    method, path, body=body, query=query, content=content, accept=accept
                )
                data = await response.read()
            except (aiohttp.ClientError, TimeoutError) as error:
                self._metrics.api_requests.labels(method, "error").inc()
                raise KubeError(0, f"no answer from the Kubernetes API: {error!r}") from error
            self._metrics.api_requests.labels(method, str(response.status)).inc()
            if response.status == 429 and attempt < 3:
                # API priority and fairness asks us to come back; its wish is in the header.
                await asyncio.sleep(min(float(response.headers.get("Retry-After", "1")), 10.0))
                continue
            break
        if response.status >= 300:
            raise _error(response.status, data)
        parsed: Object = json.loads(data) if data else {}
        return parsed

    async def _send(
        self,
        method: str,
        path: str,
        *,
        body: Object | bytes | None = None,
        query: Mapping[str, str] | None = None,
        content: str = "application/json",
        accept: str = "",
        limits: aiohttp.ClientTimeout | None = None,
    ) -> Any:
        serialized = await self._api.param_serialize(
            method,
            path,
            query_params=list((query or {}).items()),
            header_params={"Content-Type": content, "Accept": accept or "application/json"},
            auth_settings=["BearerToken"],
        )
        return await self._api.call_api(
            *serialized[:3], body=body, _request_timeout=limits or aiohttp.ClientTimeout(total=_TIMEOUT)
        )


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Lines of any length: aiohttp's own end at 128 KiB, and a definition's annotations may be longer."""
    rest = bytearray()
    async for chunk in content.iter_any():
        rest += chunk
        if b"\n" in chunk:
            *whole, last = rest.split(b"\n")
            rest = bytearray(last)
            for line in whole:
                yield bytes(line)


def _managed() -> dict[str, str]:
    return {"fieldManager": names.FIELD_MANAGER}


def _error(status: int, data: bytes) -> KubeError:
    try:
        message = str(json.loads(data).get("message") or data.decode(errors="replace"))
    except (ValueError, AttributeError):
        message = data.decode(errors="replace")
    return _ERRORS.get(status, KubeError)(status, message[:2000])
