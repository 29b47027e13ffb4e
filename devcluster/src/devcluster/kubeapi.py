"""A few calls to a Kubernetes API, enough to wait for things and to apply add-ons."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from devcluster.errors import DevclusterError

Object = Mapping[str, Any]

_FIELD_MANAGER = "devcluster"
_READ_SECONDS = 3.0  # short: reads are polls, and while it starts a stranger may have the port
_WRITE_SECONDS = 30.0
_PLURALS = {
    "ServiceAccount": "serviceaccounts",
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "ConfigMap": "configmaps",
    "Deployment": "deployments",
    "Service": "services",
    "StorageClass": "storageclasses",
}


class KubeApi:
    """The API of one cluster, called as its administrator."""

    def __init__(self, server: str, *, authority: Path, certificate: Path, key: Path):
        self._address = urlsplit(server).netloc
        self._context = ssl.create_default_context(cafile=str(authority))
        self._context.load_cert_chain(certificate, key)

    def call(
        self, method: str, path: str, body: Object | None = None, content_type: str = ""
    ) -> tuple[int, str]:
        """Make one call; return status and text, or status 0 when the API cannot be reached."""
        timeout = _READ_SECONDS if method == "GET" else _WRITE_SECONDS
        connection = http.client.HTTPSConnection(self._address, timeout=timeout, context=self._context)
        try:
            data = json.dumps(body) if body is not None else None
            connection.request(
                method, path, body=data, headers={"Content-Type": content_type} if content_type else {}
            )
            with connection.getresponse() as response:
                return response.status, response.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            return 0, str(error)
        finally:
            connection.close()

    def ready(self) -> bool:
        """Say whether the API server calls itself ready."""
        return self.call("GET", "/readyz") == (200, "ok")

    def exists(self, path: str) -> bool:
        """Say whether an object is there."""
        return self.call("GET", path)[0] == 200

    def get(self, path: str) -> dict[str, Any]:
        """Return an object, or an empty dict when it is not there or the API does not answer."""
        status, text = self.call("GET", path)
        return dict(json.loads(text)) if status == 200 else {}

    def apply(self, item: Object) -> None:
        """Apply an object on the server's side; raise DevclusterError when it is refused."""
        path = f"{object_path(item)}?fieldManager={_FIELD_MANAGER}&force=true"
        status, text = self.call("PATCH", path, item, "application/apply-patch+yaml")
        if status not in (200, 201):
            name = f"{item['kind']} {item['metadata']['name']}"
            raise DevclusterError(f"The API refused {name} ({status}): {text[:300]}")


def object_path(item: Object) -> str:
    """Return the URL path of an object of one of the kinds that devcluster applies."""
    version, metadata = item["apiVersion"], item["metadata"]
    root = f"/api/{version}" if "/" not in version else f"/apis/{version}"
    scope = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
    return f"{root}{scope}/{_PLURALS[item['kind']]}/{metadata['name']}"
