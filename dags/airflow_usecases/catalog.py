"""Publish Airflow's assets and DAGs to a data catalogue: DataHub, Amundsen or Unity Catalog.

Airflow's assets are the source of truth. An adapter answers two questions about an entry, `current` and
`write`; `publish` compares a fingerprint and writes only what is new or changed, so that a second run writes
nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

TIMEOUT = 10  # seconds
FINGERPRINT = "airflow_fingerprint"
_ABSENT = 404


@dataclass(frozen=True)
class Entry:
    """One asset as a catalogue shows it; `tags` and `owners` come from the DAGs that produce it."""

    name: str
    uri: str
    description: str
    tags: tuple[str, ...]
    owners: tuple[str, ...]
    producers: tuple[str, ...]
    consumers: tuple[str, ...]

    @property
    def platform(self) -> str:
        """The kind of store: the scheme of the URI."""
        return urlsplit(self.uri).scheme or "airflow"

    @property
    def fingerprint(self) -> str:
        """The same for the same content, whatever the order of its parts was."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


class Adapter(Protocol):
    """A catalogue. Both raise `requests.HTTPError` when it refuses."""

    def current(self, entry: Entry) -> str | None:
        """The fingerprint that was published last, or None."""

    def write(self, entry: Entry) -> None:
        """Create the entry or replace it."""


class Session(Protocol):
    """What is needed of a `requests.Session`."""

    def request(self, method: str, url: str, **options: Any) -> Any:
        """One request."""


def entries(assets: Iterable[Mapping[str, Any]], dags: Iterable[Mapping[str, Any]]) -> list[Entry]:
    """One entry per asset of `/api/v2/assets`, by name; `dags` is `/api/v2/dags`."""
    known = {dag["dag_id"]: dag for dag in dags}
    found: list[Entry] = []
    for asset in assets:
        producers = _dag_ids(asset, "producing_tasks")
        makers = [known[dag_id] for dag_id in producers if dag_id in known]
        texts = [maker["description"] for maker in makers if maker.get("description")]
        found.append(
            Entry(
                name=asset["name"],
                uri=asset["uri"],
                description="; ".join(texts) or f"Asset {asset['name']} of Airflow",
                tags=tuple(sorted({tag["name"] for maker in makers for tag in maker["tags"]})),
                owners=tuple(sorted({owner for maker in makers for owner in maker["owners"]})),
                producers=producers,
                consumers=tuple(
                    sorted({*_dag_ids(asset, "scheduled_dags"), *_dag_ids(asset, "consuming_tasks")})
                ),
            )
        )
    return sorted(found, key=_by_name)


def publish(adapter: Adapter, found: Iterable[Entry]) -> dict[str, int]:
    """Write what is new or changed; how many were created, updated and unchanged."""
    counted = Counter({"created": 0, "updated": 0, "unchanged": 0})
    for entry in found:
        before = adapter.current(entry)
        if before == entry.fingerprint:
            counted["unchanged"] += 1
            continue
        adapter.write(entry)
        counted["created" if before is None else "updated"] += 1
    return dict(counted)


def tagged(found: Iterable[Entry], tag: str) -> list[str]:
    """Discovery by tag: names of the entries that carry it."""
    return sorted(entry.name for entry in found if tag in entry.tags)


class _Rest:
    def __init__(self, url: str, session: Session, token: str = "") -> None:
        self._url = url.rstrip("/")
        self._session = session
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._session.request(
            method, self._url + path, json=body, headers=self._headers, timeout=TIMEOUT
        )
        if method == "GET" and answer.status_code == _ABSENT:
            return None
        answer.raise_for_status()
        return answer.json() if answer.content else None


class DataHub(_Rest):
    """DataHub by its OpenAPI v3: `/openapi/v3/entity/dataset`, one aspect per kind of fact."""

    def current(self, entry: Entry) -> str | None:
        """The fingerprint among the custom properties."""
        found = self._call("GET", f"/openapi/v3/entity/dataset/{quote(self.urn(entry), safe='')}")
        if not found or "datasetProperties" not in found:
            return None
        return str(found["datasetProperties"]["value"].get("customProperties", {}).get(FINGERPRINT, ""))

    def write(self, entry: Entry) -> None:
        """Upsert properties, tags and owners in one call, at once."""
        properties = {FINGERPRINT: entry.fingerprint, "uri": entry.uri} | _lineage(entry)
        body = {
            "urn": self.urn(entry),
            "datasetProperties": {
                "value": {
                    "name": entry.name,
                    "description": entry.description,
                    "customProperties": properties,
                }
            },
            "globalTags": {"value": {"tags": [{"tag": f"urn:li:tag:{tag}"} for tag in entry.tags]}},
            "ownership": {
                "value": {
                    "owners": [
                        {"owner": f"urn:li:corpGroup:{owner}", "type": "DATAOWNER"} for owner in entry.owners
                    ]
                }
            },
        }
        self._call("POST", "/openapi/v3/entity/dataset?async=false", [body])

    @staticmethod
    def urn(entry: Entry) -> str:
        """DataHub's name of the asset."""
        return f"urn:li:dataset:(urn:li:dataPlatform:{entry.platform},{entry.name},PROD)"


class Amundsen(_Rest):
    """Amundsen's metadata service. Tables are made by its databuilder; this keeps description and tags."""

    def current(self, entry: Entry) -> str | None:
        """The fingerprint at the end of the description; None also for a table without a description."""
        found = self._call("GET", f"/table/{self.key(entry)}")
        text = (found or {}).get("description") or ""
        return text.rpartition(f"{FINGERPRINT}=")[2] if text else None

    def write(self, entry: Entry) -> None:
        """Set the tags, then the description with the fingerprint: a half-done write is done again."""
        for tag in entry.tags:
            self._call("PUT", f"/table/{self.key(entry)}/tag/{quote(tag, safe='')}")
        text = f"{entry.description}\n{FINGERPRINT}={entry.fingerprint}"
        self._call("PUT", f"/table/{self.key(entry)}/description", {"description": text})

    @staticmethod
    def key(entry: Entry) -> str:
        """Amundsen's name of the table: database://cluster.schema/table."""
        return quote(f"{entry.platform}://airflow.assets/{entry.name}", safe="")


class UnityCatalog(_Rest):
    """Unity Catalog's REST API 2.1: an asset is an external table of catalog `airflow`, schema `assets`."""

    _TABLES = "/api/2.1/unity-catalog/tables"

    def current(self, entry: Entry) -> str | None:
        """The fingerprint among the table's properties."""
        found = self._call("GET", f"{self._TABLES}/airflow.assets.{entry.name}")
        return None if found is None else str(found.get("properties", {}).get(FINGERPRINT, ""))

    def write(self, entry: Entry) -> None:
        """Create the table; an existing one is replaced: the API changes no table. External data stays.

        A refused replacement brings the old entry back before the error is raised. Grants on the table do
        not survive a replacement: grant on the schema.
        """
        table = f"{self._TABLES}/airflow.assets.{entry.name}"
        before = self._call("GET", table)
        body = self._body(entry)
        if before is not None:
            self._call("DELETE", table)
        try:
            self._call("POST", self._TABLES, body)
        except Exception:
            if before is not None:
                self._call("POST", self._TABLES, {name: before[name] for name in body if name in before})
            raise

    @staticmethod
    def _body(entry: Entry) -> dict[str, Any]:
        properties = {FINGERPRINT: entry.fingerprint, "tags": ",".join(entry.tags)} | _lineage(entry)
        return {
            "name": entry.name,
            "catalog_name": "airflow",
            "schema_name": "assets",
            "table_type": "EXTERNAL",
            "data_source_format": "CSV",
            "columns": [],
            "storage_location": entry.uri,
            "comment": entry.description,
            "properties": properties | {"owners": ",".join(entry.owners)},
        }


ADAPTERS = {"datahub": DataHub, "amundsen": Amundsen, "unity": UnityCatalog}


def _lineage(entry: Entry) -> dict[str, str]:
    return {"producers": ",".join(entry.producers), "consumers": ",".join(entry.consumers)}


def _dag_ids(asset: Mapping[str, Any], use: str) -> tuple[str, ...]:
    return tuple(sorted({by["dag_id"] for by in asset.get(use, ())}))


def _by_name(entry: Entry) -> str:
    return entry.name
