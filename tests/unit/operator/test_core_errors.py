"""What a refusal of the API server means, in words for people."""

from __future__ import annotations

import pytest

from tenant_operator.core.errors import Forbidden, KubeError, unavailable

POLICY = (
    'rolebindings.rbac.authorization.k8s.io "x" is forbidden: ValidatingAdmissionPolicy '
    "'airflow-tenant-operator-rights' with binding 'airflow-tenant-operator-rights' denied request: no"
)
RIGHTS = 'secrets is forbidden: User "x" cannot list resource "secrets"'


@pytest.mark.parametrize(
    ("error", "by_policy", "words", "retry"),
    [
        (Forbidden(403, POLICY), True, "check the policies airflow-tenant-operator-*", 60.0),
        (Forbidden(403, RIGHTS), False, "the operator lacks a permission: ", 60.0),
    ],
)
def test_a_refusal_names_what_refused_it(error: Forbidden, by_policy: bool, words: str, retry: float) -> None:
    told = unavailable(error)
    assert (error.by_policy, told.reason, told.retry) == (by_policy, "ApplyRejected", retry)
    assert words in told.message
    assert error.message in told.message
    assert ("ClusterRoles" in told.message) is not by_policy


def test_an_api_server_that_is_away_is_soon_asked_again() -> None:
    told = unavailable(KubeError(503, "busy"))
    assert (told.reason, told.retry) == ("ApiServerUnavailable", 5.0)
    assert "503 busy" in told.message
