"""A Helm-format release record, so that `helm ls`, `status`, `get`, `history` know the tenant.

Format: a Secret of type helm.sh/release.v1 whose `release` key holds gzipped JSON, base64 twice (once
by Helm's storage driver, once by the API). The chart's templates are left out: they would make the
record ten times as large, and only `helm rollback` reads them.
https://github.com/helm/helm/blob/main/pkg/storage/driver/util.go
"""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tenant_operator.core import names
from tenant_operator.core.kinds import Object
from tenant_operator.core.ports import ChartInfo
from tenant_operator.plan.tenant import Tenant

HISTORY = 3
_MAX_BYTES = 8 << 20  # a rendered tenant is below 200 KiB
TYPE = "helm.sh/release.v1"


def secret(
    tenant: Tenant,
    chart: ChartInfo,
    *,
    revision: int,
    values: Mapping[str, Any],
    manifest: str,
    first_deployed: str = "",
    now: float,
) -> Object:
    """The record of a revision that is deployed `now` (seconds since the epoch).

    `first_deployed` is the text of the first revision's record; empty when this is the first.
    """
    release = {
        "name": tenant.name,
        "namespace": tenant.namespace,
        "version": revision,
        "info": {
            "first_deployed": first_deployed or _stamp(now),
            "last_deployed": _stamp(now),
            "deleted": "",
            "description": "Applied by the AirflowTenant operator",
            "status": "deployed",
            "notes": f"Managed by AirflowTenant/{tenant.name}: change the AirflowTenant, not the release.",
        },
        "chart": {
            "metadata": dict(chart.metadata),
            "lock": None,
            "templates": [],
            "values": {},
            "schema": None,
            "files": None,
        },
        "config": dict(values),
        "manifest": manifest,
        "apply_method": "ssa",
    }
    packed = base64.b64encode(gzip.compress(json.dumps(release, sort_keys=True).encode(), mtime=0))
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": TYPE,
        "metadata": {
            "name": names.release_secret(tenant.name, revision),
            "namespace": tenant.namespace,
            "labels": {
                **tenant.labels,
                "owner": "helm",
                "name": tenant.name,
                "status": "deployed",
                "version": str(revision),
                "modifiedAt": str(int(now)),
            },
            "ownerReferences": [tenant.owner_reference],
        },
        "data": {"release": base64.b64encode(packed).decode()},
    }


def superseded(record: Object) -> Object:
    """The merge patch that turns a deployed record into one of the past."""
    release = unpack(record)
    if not release:
        return {"metadata": {"labels": {"status": "superseded"}}}
    release["info"] = {**release["info"], "status": "superseded"}
    packed = base64.b64encode(gzip.compress(json.dumps(release, sort_keys=True).encode(), mtime=0))
    return {
        "metadata": {"labels": {"status": "superseded"}},
        "data": {"release": base64.b64encode(packed).decode()},
    }


def unpack(record: Object) -> dict[str, Any]:
    """The release inside a record; empty for one that is not readable.

    Whoever may create Secrets in the namespace may put anything there, so size and form are bounded.
    """
    try:
        packed = base64.b64decode(base64.b64decode(record["data"]["release"]))
        stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
        text = stream.decompress(packed, _MAX_BYTES)
        release = json.loads(text) if not stream.unconsumed_tail else None
    except (KeyError, TypeError, ValueError, zlib.error):
        release = None
    return release if isinstance(release, dict) and isinstance(release.get("info"), dict) else {}


def revision_of(record: Object) -> int:
    """A record's revision number."""
    return int(record["metadata"]["labels"]["version"])


def records(secrets: Mapping[str, Object], tenant: str) -> list[Object]:
    """The tenant's records among a namespace's Secrets, oldest first."""
    found = [
        item
        for item in secrets.values()
        if item.get("type") == TYPE
        and (item["metadata"].get("labels") or {}).get("name") == tenant
        and str((item["metadata"].get("labels") or {}).get("version", "")).isdecimal()
    ]
    return sorted(found, key=revision_of)


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
