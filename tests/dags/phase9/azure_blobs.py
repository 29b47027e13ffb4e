"""Azure Blob Storage as far as a client needs it to put, list and get block blobs.

The requests are checked against https://learn.microsoft.com/en-us/rest/api/storageservices/ (Put Blob, Put
Block, Put Block List, Get Blob, Get Blob Properties, List Blobs, Authorize with Shared Key).
"""

from __future__ import annotations

import base64
from email.utils import formatdate
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from werkzeug import Request, Response

ACCOUNT = "devaccount"
KEY = base64.b64encode(b"key").decode()


class BlobStore:
    """`blobs[container][name]`; `spoil` changes the bytes that are stored under a name."""

    def __init__(self, *containers: str) -> None:
        self.blobs: dict[str, dict[str, bytes]] = {container: {} for container in containers}
        self.blocks: dict[str, bytes] = {}
        self.spoil: set[str] = set()

    def connection_string(self, url: str) -> str:
        return (
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};"
            f"BlobEndpoint={url.rstrip('/')}/{ACCOUNT}"
        )

    def __call__(self, request: Request) -> Response:
        assert request.headers["x-ms-version"]
        assert request.headers["Authorization"].startswith(f"SharedKey {ACCOUNT}:")
        _, account, container, *rest = request.path.split("/", 3)
        assert account == ACCOUNT
        if container not in self.blobs:
            return error(404, "ContainerNotFound")
        if request.args.get("restype") == "container":
            return self.of_container(request, container)
        name = rest[0]
        if request.method == "PUT":
            return self.put(request, container, name)
        if name not in self.blobs[container]:
            return error(404, "BlobNotFound")
        return self.get(request, self.blobs[container][name])

    def of_container(self, request: Request, container: str) -> Response:
        if request.args.get("comp") != "list":
            return Response(headers=common())
        prefix = request.args.get("prefix", "")
        items = "".join(
            f"<Blob><Name>{escape(name)}</Name><Properties><Content-Length>{len(data)}</Content-Length>"
            "<BlobType>BlockBlob</BlobType></Properties></Blob>"
            for name, data in sorted(self.blobs[container].items())
            if name.startswith(prefix)
        )
        return Response(
            f'<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="{container}">'
            f"<Blobs>{items}</Blobs><NextMarker/></EnumerationResults>",
            content_type="application/xml",
            headers=common(),
        )

    def put(self, request: Request, container: str, name: str) -> Response:
        data = request.get_data()
        if request.args.get("comp") == "block":
            self.blocks[request.args["blockid"]] = data
            return Response(status=201, headers=common())
        if request.args.get("comp") == "blocklist":
            ids = [node.text or "" for node in ElementTree.fromstring(data)]  # noqa: S314 - of our own client
            data = b"".join(self.blocks[one] for one in ids)
        else:
            assert request.headers["x-ms-blob-type"] == "BlockBlob"
        if request.headers.get("If-None-Match") == "*" and name in self.blobs[container]:
            return error(409, "BlobAlreadyExists")
        self.blobs[container][name] = data[:-1] if name in self.spoil else data
        return Response(status=201, headers=common())

    def get(self, request: Request, data: bytes) -> Response:
        headers = common() | {"x-ms-blob-type": "BlockBlob", "Accept-Ranges": "bytes"}
        wanted = request.headers.get("x-ms-range") or request.headers.get("Range")
        if request.method == "HEAD" or not wanted:
            return Response(data, headers=headers)
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        start, end = int(first), min(int(last or len(data)), len(data) - 1)
        if start >= len(data):
            return error(416, "InvalidRange")
        headers["Content-Range"] = f"bytes {start}-{end}/{len(data)}"
        return Response(data[start : end + 1], status=206, headers=headers)


def common() -> dict[str, str]:
    return {
        "ETag": '"0x1"',
        "Last-Modified": formatdate(0, usegmt=True),
        "x-ms-request-id": "1",
        "x-ms-version": "2021-12-02",
    }


def error(status: int, code: str) -> Response:
    return Response(status=status, headers=common() | {"x-ms-error-code": code})
