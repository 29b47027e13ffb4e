"""Who wrote what: the API server's audit log, counted by program."""

from __future__ import annotations

import datetime
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Write:
    """One change of one object."""

    at: datetime.datetime
    agent: str
    """The program, for example ``argocd-application-controller``."""
    verb: str
    resource: str
    """Plural, with the subresource if any: ``airflowtenants/status``."""
    namespace: str
    name: str

    def __str__(self) -> str:
        place = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.agent}: {self.verb} {self.resource} {place}"


def writes(log: Path, since: datetime.datetime, until: datetime.datetime) -> Iterator[Write]:
    """The successful changes between two moments (with time zone), oldest first."""
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            if not line.endswith("\n"):
                return  # it is being written just now
            event = json.loads(line)
            at = datetime.datetime.fromisoformat(event["requestReceivedTimestamp"])
            if "dryRun=" in event.get("requestURI", ""):
                continue  # asked what would change: Flux at each pass, Argo CD for a server-side diff
            if since <= at <= until and event.get("responseStatus", {}).get("code", 500) < 300:
                yield _write(event, at)


def _write(event: dict[str, object], at: datetime.datetime) -> Write:
    given = event.get("objectRef")
    reference = given if isinstance(given, dict) else {}
    resource = "/".join(filter(None, (reference.get("resource"), reference.get("subresource"))))
    agent = str(event.get("userAgent", "")).split("/")[0].split(" ")[0]
    return Write(
        at, agent, str(event["verb"]), resource, reference.get("namespace", ""), reference.get("name", "")
    )


def table(found: Counter[str]) -> str:
    """The counts as lines, most first."""
    return "\n".join(f"{count:6d}  {what}" for what, count in found.most_common())
