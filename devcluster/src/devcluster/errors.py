"""The errors that a user of devcluster can meet."""

from __future__ import annotations


class DevclusterError(Exception):
    """Something failed that the user can act upon; the message is one or a few complete sentences."""


class BuildFailedError(DevclusterError):
    """A build step failed; the message ends with the tail of its log and the log's path."""


class UnsuitableMachineError(DevclusterError):
    """This machine cannot run a node; the message says why and what to use instead."""


class StartFailedError(DevclusterError):
    """A component did not come up; the message ends with the tail of its log and the log's path."""


class PortTakenError(StartFailedError):
    """Somebody else took a port between choosing and binding it; another try will find another."""
