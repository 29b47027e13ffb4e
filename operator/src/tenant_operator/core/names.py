"""Every name, label and annotation that the operator writes, in one place.

A tenant's name is at most 40 characters, so that the longest derived name still fits a label value
(63) after Kubernetes appends a StatefulSet's controller-revision hash (11 characters):
https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
"""

from __future__ import annotations

GROUP = "airflowtenants.io"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "AirflowTenant"
PLURAL = "airflowtenants"

FIELD_MANAGER = "airflow-tenant-operator"
FINALIZER = f"{GROUP}/finalizer"

LABEL_TENANT = f"{GROUP}/tenant"
LABEL_TEAM = f"{GROUP}/team"
LABEL_COMPONENT = "app.kubernetes.io/component"
LABEL_RETAINED = f"{GROUP}/retained"
ANNOTATION_TENANT = f"{GROUP}/tenant"
ANNOTATION_STAGE = f"{GROUP}/stage"
ANNOTATION_OWNER_EMAIL = f"{GROUP}/owner-email"
# What people and Argo CD's actions ask for on an AirflowTenant; plan.intent reads them.
ANNOTATION_RECONCILE = f"{GROUP}/reconcile-requested-at"
ANNOTATION_DAG_SYNC = f"{GROUP}/dag-sync-requested-at"
ANNOTATION_SUSPEND = f"{GROUP}/suspend"
ANNOTATION_STATE = f"{GROUP}/state"
ANNOTATION_DAG_REVISIONS = f"{GROUP}/dag-revisions"

MAX_TENANT_NAME = 40
#: What a tenant may be called, and how a person is told so.
NAME_PATTERN = "[a-z]([-a-z0-9]*[a-z0-9])?"
NAME_RULE = "must start with a letter and hold only lower case letters, digits and '-'"
OPERATOR_BINDING = "airflow-tenant-operator"
TENANT_CLUSTER_ROLE = "airflow-tenant-operator-tenant"


def default_namespace(tenant: str) -> str:
    """The namespace of a tenant whose spec names none."""
    return f"airflow-{tenant}"


def fernet_secret(tenant: str) -> str:
    """The Secret that encrypts connections: losing it loses every stored password."""
    return f"{tenant}-fernet-key"


def api_secret(tenant: str) -> str:
    """The Secret that signs sessions of the API server and its log requests."""
    return f"{tenant}-api-secret-key"


def jwt_secret(tenant: str) -> str:
    """The Secret that signs API tokens: whoever holds it is an administrator."""
    return f"{tenant}-jwt-secret"


def metadata_secret(tenant: str) -> str:
    """The Secret with the metadata database's URL and password."""
    return f"{tenant}-metadata"


def admin_secret(tenant: str) -> str:
    """The Secret with the team's first administrator, made for people to read."""
    return f"{tenant}-admin"


def operator_secret(tenant: str) -> str:
    """The Secret with the operator's own Airflow user and the key of its change fingerprints."""
    return f"{tenant}-operator"


def api_server_service(tenant: str) -> str:
    """The Service of the tenant's API server and user interface."""
    return f"{tenant}-api-server"


def release_secret(tenant: str, revision: int) -> str:
    """Helm's own naming of a release record, so that `helm ls` finds it."""
    return f"sh.helm.release.v1.{tenant}.v{revision}"
