"""How a comparison of manifests reads: as text, and as the comment of a pull request."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from tools.manifests.changes import Change, Comparison

#: GitHub refuses comments of more than 65536 characters; GitLab takes a million
LIMIT = 60000
_NO_CHANGE = "No object of any overlay changes."
_CUT = "\nThe rest is left out, because a comment has a limit: run `make manifests-diff` for all of it.\n"


def summary(comparison: Comparison) -> str:
    """`2 added, 1 changed in 2 overlays`."""
    verbs = Counter(change.verb for change in comparison.changes)
    places = {overlay for change in comparison.changes for overlay in change.overlays}
    counts = ", ".join(f"{verbs[verb]} {verb}" for verb in ("added", "changed", "removed") if verbs[verb])
    return f"{counts} in {len(places)} overlay{'s' if len(places) != 1 else ''}"


def text(comparison: Comparison, broken_before: Mapping[str, str], broken: Mapping[str, str]) -> str:
    """For a terminal or a file."""
    lines = [f"!! {overlay} cannot be built: {message}" for overlay, message in broken.items()]
    lines += [f"!! {warning}" for warning in comparison.warnings]
    lines += [_repaired(overlay) for overlay in broken_before if overlay not in broken]
    lines.append(summary(comparison) if comparison.changes else _NO_CHANGE)
    for change in comparison.changes:
        lines += ["", f"=== {change.key}: {change.verb} in {', '.join(change.overlays)}", change.diff]
    return "\n".join(lines) + "\n"


def markdown(comparison: Comparison, broken_before: Mapping[str, str], broken: Mapping[str, str]) -> str:
    """For a pull request: warnings first, then a folded diff an object; never longer than LIMIT."""
    parts = ["## What this changes in the clusters\n"]
    alerts = [
        f"**{_code(overlay)} cannot be built**: {_code(message)}" for overlay, message in broken.items()
    ]
    alerts += [_code(warning) for warning in comparison.warnings]
    if alerts:
        parts.append("> [!CAUTION]\n" + "".join(f"> - {alert}\n" for alert in alerts))
    parts += [f"{_repaired(_code(overlay))}\n" for overlay in broken_before if overlay not in broken]
    parts.append(f"{summary(comparison) if comparison.changes else _NO_CHANGE}\n")
    said = "\n".join(parts)[: LIMIT - len(_CUT)]
    for change in comparison.changes:
        section = "\n" + _section(change)
        if len(said) + len(section) + len(_CUT) > LIMIT:
            return said + _CUT
        said += section
    return said


def _section(change: Change) -> str:
    where = ", ".join(_code(overlay) for overlay in change.overlays)
    fence = "`" * (max((len(run) for run in re.findall("`+", change.diff)), default=2) + 1)
    fence = max(fence, "```", key=len)
    return (
        f"<details><summary>{_html(str(change.key))}: {change.verb}</summary>\n\nin {where}\n\n"
        f"{fence}diff\n{change.diff}\n{fence}\n\n</details>\n"
    )


def _repaired(overlay: str) -> str:
    return f"{overlay} could not be built before: all of it counts as added"


def _code(words: str) -> str:
    """One line that Markdown leaves as it is: what manifests say must not become links or mentions."""
    return "`" + " ".join(words.replace("`", "'").split()) + "`"


def _html(words: str) -> str:
    return "<code>" + words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") + "</code>"
