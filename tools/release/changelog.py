"""The notes of a release are its section of CHANGELOG.md (https://keepachangelog.com)."""

from __future__ import annotations

import re
from pathlib import Path

from tools.release.common import ReleaseError

UNRELEASED = "Unreleased"
_HEADING = re.compile(r"^## \[?([^\]\s]+)\]?(?: - (\S+))?\s*$", re.MULTILINE)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def newest(path: Path, version: str) -> str:
    """What is unreleased; right after a release, when that is nothing, the section of `version`."""
    try:
        return section(path, UNRELEASED)
    except ReleaseError:
        return section(path, version)


def section(path: Path, version: str) -> str:
    """The text below `## [version] - date`, without the heading.

    `Unreleased` needs no date. Raises ReleaseError when the section is missing, empty, or without a date.
    """
    text = path.read_text(encoding="utf-8")
    headings = list(_HEADING.finditer(text))
    for place, heading in enumerate(headings):
        if heading[1] != version:
            continue
        if version != UNRELEASED and not _DATE.fullmatch(heading[2] or ""):
            raise ReleaseError(f"{path.name}: write the day of the release: ## [{version}] - YYYY-MM-DD")
        end = headings[place + 1].start() if place + 1 < len(headings) else len(text)
        body = text[heading.end() : end].strip()
        if not body:
            raise ReleaseError(f"{path.name}: the section of {version} is empty")
        return body + "\n"
    raise ReleaseError(
        f"{path.name} has no section `## [{version}] - YYYY-MM-DD`: move what is under [{UNRELEASED}] there"
    )
