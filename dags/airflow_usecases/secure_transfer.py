"""Move a file through encrypted channels only, and leave an audit line that holds no secret."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, TypedDict

audit = logging.getLogger("audit.transfer")

_CHUNK = 1 << 20  # bytes
_VERIFIED = frozenset({"verify-full"})


class Unencrypted(Exception):
    """A connection would send data in the clear, or to somebody whose identity is not checked."""


class Transfer(TypedDict):
    """One transferred file: where it was, where it is, and how to prove that it is the same."""

    source: str
    bucket: str
    key: str
    size: int
    sha256: str


class Connection(Protocol):
    """What is needed of Airflow's `Connection`."""

    conn_id: str
    host: str | None
    schema: str | None

    @property
    def extra_dejson(self) -> dict[str, Any]:
        """The extra as a dictionary."""


def encryption(key_id: str) -> dict[str, str]:
    """The arguments of an S3 upload that encrypt it with this KMS key. Raises ValueError for an empty key.

    `encrypt=True` of Airflow's S3Hook means the bucket service's own key (SSE-S3), not KMS. Reference:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/specifying-kms-encryption.html
    """
    if not key_id:
        raise ValueError("no KMS key")
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_id}


def require_https(connection: Connection) -> None:
    """Raise Unencrypted unless an HTTP connection uses https and verifies the certificate."""
    host = connection.host or ""
    scheme = host.partition("://")[0] if "://" in host else connection.schema or "http"
    if scheme != "https":
        raise Unencrypted(f"{connection.conn_id}: {scheme} instead of https")
    if connection.extra_dejson.get("verify", True) is False:
        raise Unencrypted(f"{connection.conn_id}: the certificate is not verified")


def require_verified_tls(connection: Connection) -> None:
    """Raise Unencrypted unless a PostgreSQL connection checks certificate and host name."""
    mode = connection.extra_dejson.get("sslmode", "prefer")
    if mode not in _VERIFIED:
        raise Unencrypted(f"{connection.conn_id}: sslmode {mode} instead of verify-full")


def require_known_host(connection: Connection) -> None:
    """Raise Unencrypted when an SSH connection accepts any host key, or knows none."""
    extra = connection.extra_dejson
    unchecked = str(extra.get("no_host_key_check", "true")).lower() == "true"
    if unchecked or not extra.get("host_key"):
        raise Unencrypted(f"{connection.conn_id}: the host key is not checked")


def describe(file: Path, source: str, bucket: str, key: str) -> Transfer:
    """Size in bytes and SHA-256 of a local copy, read in pieces."""
    digest = hashlib.sha256()
    with file.open("rb") as content:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
    return {
        "source": source,
        "bucket": bucket,
        "key": key,
        "size": file.stat().st_size,
        "sha256": digest.hexdigest(),
    }


def log_transfer(transfer: Transfer, run: Mapping[str, str]) -> None:
    """One JSON line: what went where, by which run. Nothing of a connection is in it."""
    audit.info("transfer %s", json.dumps({**transfer, **run}, sort_keys=True))
