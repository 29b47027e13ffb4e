"""From a tenant's spec and its Secrets to the objects wanted inside its Airflow."""

from __future__ import annotations

import json
from typing import Any

from tenant_operator.api.objects import Connection as ConnectionSpec
from tenant_operator.core.airflow_types import Connection, DesiredObjects, Pool, Role, Variable
from tenant_operator.core.errors import Reason, SecretError
from tenant_operator.plan.secrets import Resolved
from tenant_operator.plan.tenant import Tenant


def desired(tenant: Tenant, resolved: Resolved) -> DesiredObjects:
    """All wanted objects, secrets filled in; raises SecretError for an extra that is not JSON."""
    spec = tenant.spec
    return DesiredObjects(
        pools=[Pool(p.name, p.slots, p.description, p.include_deferred) for p in spec.pools],
        connections=[_connection(connection, resolved) for connection in spec.connections],
        variables=[_variable(variable, resolved) for variable in spec.variables],
        roles=[
            Role(
                role.name,
                frozenset(
                    (action, permission.resource)
                    for permission in role.permissions
                    for action in permission.actions
                ),
            )
            for role in spec.roles
        ],
    )


def _variable(variable: Any, resolved: Resolved) -> Variable:
    reference = variable.value_secret_ref
    if reference is None:
        return Variable(variable.key, variable.value, variable.description)
    value = resolved.value(reference.name, reference.key)
    return Variable(variable.key, value, variable.description, sensitive=True)


def _connection(connection: ConnectionSpec, resolved: Resolved) -> Connection:
    password = None
    if connection.password_secret_ref is not None:
        reference = connection.password_secret_ref
        password = resolved.value(reference.name, reference.key)
    return Connection(
        id=connection.id,
        conn_type=connection.type,
        host=connection.host,
        port=connection.port,
        schema=connection.schema_,
        login=connection.login,
        password=password,
        extra=_extra(connection, resolved),
        description=connection.description,
    )


def _extra(connection: ConnectionSpec, resolved: Resolved) -> dict[str, Any]:
    reference = connection.extra_secret_ref
    if reference is None:
        return dict(connection.extra)
    try:
        secret = json.loads(resolved.value(reference.name, reference.key))
    except ValueError:
        secret = None
    if not isinstance(secret, dict):
        raise SecretError(
            f"key {reference.key} of Secret {reference.name} is not a JSON object "
            f"(spec.connections[{connection.id}].extraSecretRef): store one, for example "
            '{"aws_secret_access_key": "..."}',
            reason=Reason.SECRET_INVALID,
        )
    return {**connection.extra, **secret}
