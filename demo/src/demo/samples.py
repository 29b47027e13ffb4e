"""The two sample teams: their folders, DAGs and Secrets."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from demo.gitserver import GitServer, read_secret, secret
from demo.kube import Json, Kube
from demo.state import project_root

REPOSITORIES = project_root() / "demo" / "repositories"
MANIFESTS = project_root() / "manifests" / "tenants" / "demo"
GIT_SECRET = "git-credentials"  # noqa: S105 - a name
FIRST_MESSAGE = "The team's first DAGs"


@dataclass(frozen=True, slots=True)
class Sample:
    """One team of the demo. In ``secrets`` a value of None is made up at random."""

    name: str
    dag: str
    port: int
    secrets: Mapping[str, Mapping[str, str | None]] = field(default_factory=dict)

    @property
    def namespace(self) -> str:
        """The tenant's namespace, as the manifests name it."""
        return f"airflow-{self.name}"

    @property
    def repository(self) -> Path:
        """The folder of the first commit."""
        return REPOSITORIES / self.name


PAYMENTS = Sample(
    "payments",
    dag="settlement",
    port=8080,
    secrets={
        "acquirer-api": {"password": None},
        "ledger-database": {"password": None},
        "settlement-contact": {"email": "settlements@payments.example.com"},
    },
)
ANALYTICS = Sample(
    "analytics",
    dag="visits",
    port=8081,
    secrets={
        "slack": {"webhook-token": None, "app-token": None},  # nobody is told: the network is closed
        "smtp": {"password": None},
        "warehouse": {"password": None},
    },
)
SAMPLES = (PAYMENTS, ANALYTICS)

#: the commit that the demo pushes while people watch
NEXT_FOLDER = REPOSITORIES / "payments-next"
NEXT_DAG = "chargebacks"
NEXT_MESSAGE = "Collect chargebacks"


def namespace_object(sample: Sample) -> Json:
    """Return the namespace as a platform team would prepare it: annotated for its tenant."""
    metadata = {"name": sample.namespace, "annotations": {"airflowtenants.io/tenant": sample.name}}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def ensure_secrets(kube: Kube, git: GitServer, sample: Sample) -> None:
    """Create the team's Secrets. One that exists is left alone: its passwords are in use."""
    kube.apply(namespace_object(sample))
    wanted: dict[str, Mapping[str, str | None]] = {**sample.secrets, GIT_SECRET: git.credentials}
    missing = [
        secret(
            sample.namespace, name, {key: value or secrets.token_urlsafe(18) for key, value in data.items()}
        )
        for name, data in wanted.items()
        if name == GIT_SECRET or read_secret(kube, sample.namespace, name) is None
    ]
    kube.apply(*missing)
