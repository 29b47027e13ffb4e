"""Migration Job: migrate the metadata database, then make the declared FAB users, in one process.

With ``TENANT_METRICS_ROLE`` set it makes that role for the PostgreSQL exporter, too.

Two commands (``airflow db migrate``, ``airflow users create``) would pay for Airflow's start-up twice.
The declared users come as JSON in ``TENANT_USERS``, a list of
``{username, email, firstName, lastName, role, passwordEnv}``; ``passwordEnv`` names the variable that holds
the password, so that no password is ever an argument. Safe to run again: a user that exists gets the declared
role and the password of its Secret, nothing else about it changes.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import Any

from airflow.cli.cli_parser import get_parser

USERS = "TENANT_USERS"
METRICS_ROLE = "TENANT_METRICS_ROLE"


def migrate() -> None:
    """``airflow db migrate``, by the same code as the command line; raises on failure."""
    arguments = get_parser().parse_args(["db", "migrate"])
    arguments.func(arguments)


def ensure_user(manager: Any, user: dict[str, str]) -> str:
    """Create the user or correct role and password; returns what was done.

    Raises LookupError for an unknown role, KeyError when the password's variable is missing and RuntimeError
    when FAB refuses the new user.
    """
    from werkzeug.security import check_password_hash  # noqa: PLC0415  (only installed together with FAB)

    name, password = user["username"], os.environ[user["passwordEnv"]]
    role = manager.find_role(user["role"])
    if role is None:
        known = ", ".join(sorted(found.name for found in manager.get_all_roles()))
        raise LookupError(f"user {name}: there is no role {user['role']!r}; known roles: {known}")
    existing = manager.find_user(username=name)
    if existing is None:
        created = manager.add_user(name, user["firstName"], user["lastName"], user["email"], role, password)
        if not created:
            raise RuntimeError(f"user {name}: could not be created (is the e-mail address taken?)")
        return "created"
    done = []
    if role not in existing.roles:
        existing.roles.append(role)
        manager.update_user(existing)
        done.append("role added")
    # An unchanged password is left alone: a new hash would look like a change and end sessions.
    if not (existing.password and check_password_hash(existing.password, password)):
        if not manager.reset_password(existing.id, password):
            raise RuntimeError(f"user {name}: the password could not be set")
        done.append("password set")
    return ", ".join(done) or "unchanged"


def ensure_users(users: list[dict[str, str]]) -> None:
    """Make every declared user; needs the FAB auth manager and a migrated database."""
    from airflow.providers.fab.auth_manager.cli_commands.utils import (  # noqa: PLC0415  (needs the migration)
        get_application_builder,
    )

    with get_application_builder() as builder:
        for user in users:
            print(f"user {user['username']}: {ensure_user(builder.sm, user)}", flush=True)  # noqa: T201


def ensure_metrics_role(engine: Any, role: str) -> None:
    """Make the exporter's role in the embedded PostgreSQL: it may log in and read statistics, no more.

    It has no password, so nothing but the server's own socket lets it in.
    https://www.postgresql.org/docs/15/predefined-roles.html
    """
    from sqlalchemy import text  # noqa: PLC0415  (comes with Airflow)

    quoted = '"' + role.replace('"', '""') + '"'
    with engine.begin() as connection:
        known = connection.execute(
            text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role}
        ).first()
        if known is None:
            connection.execute(text(f"CREATE ROLE {quoted} LOGIN CONNECTION LIMIT 5"))
        connection.execute(text(f"GRANT pg_monitor TO {quoted}"))


def main() -> int:
    """Migrate, then the exporter's role and the users; returns the exit code."""
    migrate()
    role = os.environ.get(METRICS_ROLE)
    if role:
        from airflow import settings  # noqa: PLC0415  (needs the migration)

        ensure_metrics_role(settings.engine, role)
    users = json.loads(os.environ.get(USERS, "[]"))
    if users:
        ensure_users(users)
    return 0


def run() -> int:
    """``main``, whose failure ends with a line for people: with JSON logs the reason is inside a long one."""
    try:
        return main()
    except Exception as error:
        logging.getLogger(__name__).exception("the migration failed")
        sys.stdout.flush()
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)  # noqa: T201
        return 1


if __name__ == "__main__":
    sys.exit(run())
