"""Log lines for machines (JSON, the default) or for people."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from datetime import UTC, datetime

# A context variable and not an argument: lines of libraries, too, belong to the tenant that is worked on.
_TENANT: ContextVar[str] = ContextVar("tenant", default="")


@contextlib.contextmanager
def about(tenant: str) -> Iterator[None]:
    """Everything that is logged inside, tasks begun there included, carries the tenant's name."""
    token = _TENANT.set(tenant)
    try:
        yield
    finally:
        _TENANT.reset(token)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ts, level, logger, msg; tenant where it is known; error for tracebacks."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        line: dict[str, str] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "msg": record.getMessage(),
        }
        if tenant := _TENANT.get():
            line["tenant"] = tenant
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure(level: str, style: str) -> None:
    """Send everything to standard error in one style (json or text)."""
    handler = logging.StreamHandler(sys.stderr)
    if style == "json":
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # kopf tells every event that it sees; the operator's own lines say what came of it.
    for name in ("kopf", "aiohttp", "asyncio"):
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level)))
