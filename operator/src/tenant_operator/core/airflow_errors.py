"""What can go wrong with a tenant's Airflow. The reconcile loop turns these into conditions.

AirflowError             (messages hold no secrets)
|-- AirflowUnavailable   try again later
|-- AirflowLoginFailed   the operator's user or its rights
`-- AirflowRejected      one request, understood and refused
InvalidObject            a wanted object that must not be sent; only an edit of the spec helps
"""

from __future__ import annotations


class AirflowError(Exception):
    """Airflow could not be asked or did not do as asked. Messages hold no secrets."""


class AirflowUnavailable(AirflowError):
    """No answer, or one that says that the server is not ready. Trying later helps."""


class AirflowLoginFailed(AirflowError):
    """Airflow refuses the operator's user, or that user lacks rights."""


class AirflowRejected(AirflowError):
    """Airflow understood a request and refused it; `name` says what it was about."""

    def __init__(self, name: str, message: str) -> None:
        """Keep both parts for the status."""
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message


class InvalidObject(ValueError):
    """A wanted object that must never be sent; `field` is its place in the spec."""

    def __init__(self, field: str, message: str) -> None:
        """Keep both parts for the status."""
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message
