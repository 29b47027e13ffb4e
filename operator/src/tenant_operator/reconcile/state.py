"""What the operator remembers of a tenant between two passes. All of it can be lost: the next pass
finds it out again from the cluster."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tenant_operator.api.status import DagSourceStatus, ObjectsStatus, Owned, TenantStatus
from tenant_operator.core.kinds import Object, ObjectId
from tenant_operator.plan import intent
from tenant_operator.plan.git_sync import Revision
from tenant_operator.plan.health import HealthView
from tenant_operator.plan.intent import Known
from tenant_operator.plan.outcome import Finding
from tenant_operator.plan.release import Planned, Release, Stage


@dataclass(frozen=True, slots=True)
class Kept:
    """A release in memory: ids and digests at hand, the objects themselves compressed (about 1:12)."""

    digest: str
    index: tuple[tuple[ObjectId, Stage, str], ...]
    blob: bytes

    @classmethod
    def pack(cls, release: Release, values: Mapping[str, Any]) -> Kept:
        """Compress a release with the values that made it."""
        content = {
            "objects": [planned.object for planned in release.objects],
            "manifest": release.manifest,
            "values": dict(values),
        }
        return cls(
            digest=release.digest,
            index=tuple((planned.id, planned.stage, planned.digest) for planned in release.objects),
            blob=zlib.compress(json.dumps(content).encode(), 6),
        )

    def unpack(self) -> tuple[Release, dict[str, Any]]:
        """The release and its values again."""
        content = json.loads(zlib.decompress(self.blob))
        objects = tuple(
            Planned(id_, stage, digest, obj)
            for (id_, stage, digest), obj in zip(self.index, content["objects"], strict=True)
        )
        return Release(self.digest, content["manifest"], objects), content["values"]


class Edition(NamedTuple):
    """What a look into Airflow is about. When it is another one, Airflow is looked at again."""

    generation: int = 0
    #: the count of the annotation dag-revisions (TenantState.written)
    written: int = 0
    #: the sources that are held, each with its commit
    held: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class AirflowView:
    """What the last look into a tenant's Airflow found."""

    dags: tuple[DagSourceStatus, ...] = ()
    dags_finding: Finding = field(default_factory=lambda: Finding.unknown("Airflow has not been asked yet"))
    objects: ObjectsStatus = field(default_factory=ObjectsStatus)
    objects_finding: Finding = field(
        default_factory=lambda: Finding.unknown("Airflow has not been asked yet")
    )
    owned: Owned = field(default_factory=Owned)
    drift: str = ""
    #: what Airflow was compared with
    edition: Edition = field(default_factory=Edition)
    #: TenantState.written at the beginning of the last look that Airflow has answered; None: it never has
    answered: int | None = None


@dataclass(slots=True)
class Fetching:
    """A request for a fetch that could not be carried out yet."""

    value: str
    #: when it was first tried (monotonic seconds)
    since: float
    failures: int = 0
    #: whether people have been told
    told: bool = False


@dataclass(slots=True)
class TenantState:
    """Memory of one tenant."""

    raw: Object
    status: TenantStatus
    #: the next pass must look at everything, not only at what the watches told
    full: bool = True
    #: when that was last done (monotonic seconds)
    looked: float = float("-inf")
    #: fingerprints of the Secrets that the last full pass saw
    checksums: Mapping[str, str] = field(default_factory=dict)
    release: Kept | None = None
    #: what MonitoringReady says once that release is applied
    monitoring: Finding | None = None
    #: digest and version of each object as our last apply left it
    applied: dict[ObjectId, tuple[str, str]] = field(default_factory=dict)
    #: digest of the namespace and binding that were last applied
    bootstrapped: str = ""
    #: since when the namespace is seen to be the tenant's (monotonic seconds); None: it is not
    ours: float | None = None
    #: when the operator last bound its role there (monotonic seconds)
    bound: float = float("-inf")
    #: digest of the release that the newest Helm record describes
    recorded: str = ""
    #: the components of the present release are up, so Airflow can be asked
    serving: bool = False
    airflow: AirflowView | None = None
    #: the last probe of the components; None while none may be made
    health: HealthView | None = None
    #: objects that somebody else had changed, by kind, since the operator started
    drift_detected: Counter[str] = field(default_factory=Counter)
    drift_corrected: Counter[str] = field(default_factory=Counter)
    #: objects that could not be put back, with the version that was counted as drift (empty: deleted)
    refused: dict[ObjectId, str] = field(default_factory=dict)
    #: which request for everything each loop has carried out (reconcile.requests)
    carried: dict[str, str] = field(default_factory=dict)
    #: the request for a fetch that is tried again; None: there is none
    fetching: Fetching | None = None
    #: the request for a fetch that git-sync has been told of; None: no news for the status
    fetched: str | None = None
    #: how often another text was seen in the annotation dag-revisions: the same text again is another wish
    written: int = 0
    #: until when Airflow is expected to parse another commit (seconds since the epoch)
    expecting: float = 0.0
    #: how Airflow follows each Git source; replaced, never changed in place
    revisions: Mapping[str, Revision] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The tenant's name."""
        return str(self.raw["metadata"]["name"])

    @property
    def generation(self) -> int:
        """The spec's generation."""
        return int(self.raw["metadata"].get("generation", 0))

    @property
    def held(self) -> dict[str, str]:
        """The commits at which sources are held, as the status says."""
        return {source.name: source.held_commit for source in self.status.dags if source.held_commit}

    @property
    def edition(self) -> Edition:
        """What a look into Airflow is about now."""
        return Edition(self.generation, self.written, frozenset(self.held.items()))

    @property
    def known(self) -> Known:
        """What decides on holds. Commits count only if Airflow was asked after these were written."""
        view = self.airflow
        fresh = view is not None and view.answered == self.written
        dags = view.dags if view is not None and fresh else ()
        return Known({source.name: source.commit for source in dags}, self.held)

    def take(self, raw: Object) -> None:
        """The tenant as the API server has it now."""
        self.written += intent.revisions(raw) != intent.revisions(self.raw)
        self.raw = raw
