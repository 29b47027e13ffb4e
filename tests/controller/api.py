"""A small synchronous client of the Kubernetes API, for what a test does and sees as an administrator."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any, Self

import urllib3
import yaml

from devcluster.controlplane import ControlPlane
from tenant_operator.core.kinds import Kind, Object, ObjectId, find

MANAGER = "tester"
_SECONDS = 30.0


class Refused(Exception):
    """An answer that is not success."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status} {message}")
        self.status = status
        self.message = message


class Api:
    """Calls by kind, as plain JSON. Thread-safe; a context manager."""

    def __init__(self, plane: ControlPlane) -> None:
        user = yaml.safe_load(plane.kubeconfig.read_text())
        folder = plane.directory / "tester"
        folder.mkdir(exist_ok=True)
        files = {}
        for name, holder, field in (
            ("ca", user["clusters"][0]["cluster"], "certificate-authority-data"),
            ("crt", user["users"][0]["user"], "client-certificate-data"),
            ("key", user["users"][0]["user"], "client-key-data"),
        ):
            files[name] = folder / name
            files[name].write_bytes(base64.b64decode(holder[field]))
        self._server = plane.server
        self._pool = urllib3.PoolManager(
            ca_certs=str(files["ca"]),
            cert_file=str(files["crt"]),
            key_file=str(files["key"]),
            maxsize=8,
            block=False,
            retries=False,
            timeout=_SECONDS,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._pool.clear()

    def call(
        self, method: str, path: str, body: Any = None, *, content: str = "application/json", query: str = ""
    ) -> Any:
        """One request; the parsed answer, or Refused (status 0: no answer)."""
        url = self._server + path + (f"?{query}" if query else "")
        data = None if body is None else json.dumps(body).encode()
        try:
            response = self._pool.request(method, url, body=data, headers={"Content-Type": content})
        except urllib3.exceptions.HTTPError as error:
            raise Refused(0, str(error)) from error
        text = response.data.decode(errors="replace")
        if response.status >= 300:
            try:
                message = str(json.loads(text).get("message", text))
            except ValueError:
                message = text
            raise Refused(response.status, message)
        try:
            return json.loads(text)
        except ValueError:
            return text

    def stream(self, path: str, query: str) -> urllib3.BaseHTTPResponse:
        """An open watch; the caller closes it."""
        response = self._pool.request("GET", f"{self._server}{path}?{query}", preload_content=False)
        if response.status != 200:
            response.close()
            raise Refused(response.status, "watch refused")
        return response

    def get(self, kind: Kind, name: str, namespace: str = "") -> Object:
        """One object; Refused 404 when it is not there."""
        found: Object = self.call("GET", kind.path(namespace, name))
        return found

    def find(self, kind: Kind, name: str, namespace: str = "") -> Object | None:
        """One object or None."""
        try:
            return self.get(kind, name, namespace)
        except Refused as error:
            if error.status == 404:
                return None
            raise

    def read(self, id_: ObjectId) -> Object | None:
        """The object that an inventory entry names, or None."""
        kind = find(f"{id_.group}/v1" if id_.group else "v1", id_.kind)
        assert kind is not None, id_
        return self.find(kind, id_.name, id_.namespace)

    def list(self, kind: Kind, namespace: str = "", labels: str = "") -> list[Object]:
        """All objects of a kind."""
        answer = self.call("GET", kind.path(namespace), query=f"labelSelector={labels}" if labels else "")
        return [{"apiVersion": kind.api_version, "kind": kind.kind, **item} for item in answer["items"]]

    def create(self, kind: Kind, obj: Mapping[str, Any], *, dry: bool = False) -> Object:
        """Create one object."""
        made: Object = self.call(
            "POST",
            kind.path(obj["metadata"].get("namespace", "")),
            {"apiVersion": kind.api_version, "kind": kind.kind, **obj},
            query=f"fieldManager={MANAGER}&fieldValidation=Strict" + ("&dryRun=All" if dry else ""),
        )
        return made

    def merge(self, kind: Kind, name: str, patch: Any, namespace: str = "", subresource: str = "") -> Object:
        """JSON merge patch."""
        path = kind.path(namespace, name, subresource)
        done: Object = self.call(
            "PATCH",
            path,
            patch,
            content="application/merge-patch+json",
            query=f"fieldManager={MANAGER}&fieldValidation=Strict",
        )
        return done

    def apply(self, path: str, obj: Mapping[str, Any]) -> Object:
        """Server-side apply of anything."""
        done: Object = self.call(
            "PATCH",
            path,
            obj,
            content="application/apply-patch+yaml",
            query=f"fieldManager={MANAGER}&force=true",
        )
        return done

    def delete(self, kind: Kind, name: str, namespace: str = "") -> None:
        """Delete; fine when it is gone already."""
        try:
            self.call("DELETE", kind.path(namespace, name), {"propagationPolicy": "Background"})
        except Refused as error:
            if error.status != 404:
                raise

    def secret(self, name: str, namespace: str, **values: str) -> None:
        """Create or replace a Secret with these texts."""
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name},
            "stringData": {key.replace("_", "-"): value for key, value in values.items()},
        }
        self.apply(f"/api/v1/namespaces/{namespace}/secrets/{name}", body)
