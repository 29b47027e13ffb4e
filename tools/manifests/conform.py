"""Objects against the schemas of their kinds, by kubeconform, and tenants against the operator's model."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from devcluster.tools import tool
from tenant_operator.core import names
from tenant_operator.core.errors import InvalidSpec
from tenant_operator.plan.tenant import parse
from tools.manifests import schemas
from tools.manifests.findings import TENANT, Finding, Object, Source, metadata, notes, subject

_SECONDS = 120
_WORKERS = 2
_NAME = re.compile(names.NAME_PATTERN)
_MISSING = "could not find schema"


class ConformError(Exception):
    """kubeconform itself failed; the text is what it said."""


def schema_findings(sources: Iterable[Source], *, unknown_kinds: bool) -> dict[Path, list[Finding]]:
    """What kubeconform refuses, by folder. With `unknown_kinds` a kind without schema is fine."""
    numbered = {f"{number:04}.yaml": source for number, source in enumerate(sources)}
    types = [
        (str(found.get("apiVersion")), str(found.get("kind")))
        for source in numbered.values()
        for found in source.objects
    ]
    with tempfile.TemporaryDirectory(prefix="validate-") as scratch:
        places = schemas.prepare(Path(scratch) / "schemas", types)
        builds = Path(scratch) / "builds"
        builds.mkdir()
        for name, source in numbered.items():
            text = yaml.dump_all(map(_opened, source.objects), Dumper=yaml.CSafeDumper, sort_keys=False)
            (builds / name).write_text(text, encoding="utf-8")
        results = _kubeconform(builds, places)
    found: dict[Path, list[Finding]] = {}
    for result in results:
        message = _message(result)
        if result["status"] == "statusSkipped" or (unknown_kinds and _MISSING in result["msg"]):
            continue
        source = numbered[Path(result["filename"]).name]
        who = f"{result['kind']} {result['name']}".strip()
        found.setdefault(source.folder, []).append(Finding("schema", who, "", message))
    return found


def _opened(found: Object) -> Object:
    """SOPS' own record is no field of Kubernetes; Flux takes it out when it decrypts."""
    return {key: value for key, value in found.items() if key != "sops" or not isinstance(value, dict)}


def _kubeconform(builds: Path, places: list[str]) -> list[dict[str, str]]:
    options = [part for place in places for part in ("-schema-location", place)]
    done = subprocess.run(
        [str(tool("kubeconform")), "-strict", "-output", "json", "-n", str(_WORKERS), *options, str(builds)],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
    )
    try:
        resources: list[dict[str, str]] = json.loads(done.stdout)["resources"] or []
    except (ValueError, KeyError) as error:
        raise ConformError(f"kubeconform: {done.stderr.strip() or done.stdout.strip()}") from error
    return resources


def _message(result: dict[str, str]) -> str:
    if _MISSING in result["msg"]:
        return (
            f"no schema of {result['version']} {result['kind']}: vendor its CustomResourceDefinition with "
            "python -m tools.manifests.schemas, or pass --unknown-kinds"
        )
    text = re.sub(r"problem validating schema\. Check JSON formatting: ", "", result["msg"])
    return " ".join(re.sub(r"jsonschema validation failed with '[^']*'", "", text).split()).lstrip("- ")


def tenant_findings(source: Source) -> Iterator[Finding]:
    """What the operator itself would refuse, in its own words; one finding a field."""
    for tenant in source.of(TENANT):
        name = str(metadata(tenant).get("name") or "")
        if tenant.get("apiVersion") != names.API_VERSION:
            yield Finding("tenant", subject(tenant), "apiVersion", f"must be {names.API_VERSION}")
            continue
        if not _NAME.fullmatch(name):
            yield Finding("tenant", subject(tenant), "metadata.name", names.NAME_RULE)
        try:
            mine = {**metadata(tenant), "name": name, "uid": "", "annotations": notes(tenant)}
            parse({"metadata": mine, "spec": tenant.get("spec")})
        except InvalidSpec as error:
            for part in str(error).split("; "):
                field, colon, message = part.partition(": ")
                yield Finding("tenant", subject(tenant), field if colon else "", message if colon else part)
