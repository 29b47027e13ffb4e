"""How a release was built: an in-toto statement with SLSA's provenance v1, by in-toto's own classes.

It says what came out (images, charts, bills of material) and what went in (the commit, the lock files). Made
by the build itself it is a record, not a proof; the release workflow signs it (docs/releasing.md says who
vouches for what). https://slsa.dev/spec/v1.1/provenance
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from google.protobuf import json_format  # type: ignore[import-untyped]
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2  # type: ignore[import-untyped]
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor  # type: ignore[import-untyped]
from in_toto_attestation.v1.statement import Statement  # type: ignore[import-untyped]

from tools.release.common import PROJECT_URL, ReleaseError, sha256

PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = f"{PROJECT_URL}/blob/main/docs/releasing.md#what-is-built"
LOCAL_BUILDER = f"{PROJECT_URL}/blob/main/docs/releasing.md#rehearse"
LOCKS = ("requirements.lock", "images/airflow/requirements.lock")


@dataclass(frozen=True)
class Build:
    """Where and from what it was built."""

    repository: str
    ref: str
    commit: str
    builder: str
    invocation: str
    started: datetime
    changed: bool = False  # files were not as in the commit

    @classmethod
    def of(
        cls, environment: Mapping[str, str], commit: str, started: datetime, *, changed: bool = False
    ) -> Build:
        """From GitHub's variables; without them, this machine."""
        if environment.get("GITHUB_ACTIONS") != "true":
            return cls(PROJECT_URL, "", commit, LOCAL_BUILDER, "", started, changed)
        repository = f"{environment['GITHUB_SERVER_URL']}/{environment['GITHUB_REPOSITORY']}"
        run = f"{repository}/actions/runs/{environment['GITHUB_RUN_ID']}"
        return cls(
            repository,
            environment["GITHUB_REF"],
            commit,
            f"{environment['GITHUB_SERVER_URL']}/{environment['GITHUB_WORKFLOW_REF']}",
            f"{run}/attempts/{environment['GITHUB_RUN_ATTEMPT']}",
            started,
            changed,
        )


def predicate(build: Build, root: Path) -> dict[str, Any]:
    """What SLSA calls the predicate: how the build was defined, and how it ran."""
    source = f"git+{build.repository}" + (f"@{build.ref}" if build.ref else "")
    locks = [{"name": name, "digest": {"sha256": sha256(root / name)}} for name in LOCKS]
    origin: dict[str, Any] = {"uri": source, "digest": {"gitCommit": build.commit}}
    if build.changed:
        origin["annotations"] = {"changed": "files were not as in this commit: no release"}
    metadata = {"startedOn": build.started.strftime("%Y-%m-%dT%H:%M:%SZ")}
    if build.invocation:
        metadata["invocationId"] = build.invocation
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {"source": source, "command": "python -m tools.release build"},
            "resolvedDependencies": [origin, *locks],
        },
        "runDetails": {"builder": {"id": build.builder}, "metadata": metadata},
    }


def statement(subjects: Mapping[str, str], facts: dict[str, Any]) -> dict[str, Any]:
    """The statement about these subjects (name to hex sha256), checked.

    Raises ReleaseError when it does not fit in-toto's or SLSA's definition.
    """
    descriptors = [
        ResourceDescriptor(name=name, digest={"sha256": hexes}).pb for name, hexes in subjects.items()
    ]
    made = Statement(descriptors, PREDICATE, facts)
    check(json_format.MessageToDict(made.pb))
    found: dict[str, Any] = json_format.MessageToDict(made.pb)
    return found


def check(content: dict[str, Any]) -> None:
    """Raise ReleaseError when this is no in-toto statement v1 with a predicate of SLSA v1."""
    try:
        parsed = json_format.ParseDict(content, Statement([], PREDICATE, {}).pb)
        Statement.copy_from_pb(parsed).validate()
        # unknown or wrongly typed fields of the predicate are refused by its own definition
        json_format.ParseDict(content["predicate"], provenance_pb2.Provenance())
    except (ValueError, KeyError, json_format.ParseError) as error:
        raise ReleaseError(f"the provenance is no SLSA v1 statement: {error}") from error
    details = content["predicate"]
    if not details.get("runDetails", {}).get("builder", {}).get("id"):
        raise ReleaseError("the provenance is no SLSA v1 statement: it names no builder")
    if not details.get("buildDefinition", {}).get("buildType"):
        raise ReleaseError("the provenance is no SLSA v1 statement: it names no buildType")
