"""Give a new tenant its lines in CODEOWNERS.

What only staging sees, and the line of production that says which release of the DAGs runs, a team changes by
itself. https://docs.github.com/en/repositories/managing-your-repositorys-settings-and-features/customizing-your-repository/about-code-owners
"""

from __future__ import annotations

import re
from pathlib import Path

#: where GitHub and GitLab look
PLACES = (".github/CODEOWNERS", ".gitlab/CODEOWNERS")
_EVERYTHING = re.compile(r"^\*\s+@([^\s/]+)/(\S+)", re.MULTILINE)


def handle(team: str) -> str:
    """What a team is called where code is hosted: lower case, hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", team.lower()).strip("-")


def add(text: str, name: str, team: str) -> str:
    """CODEOWNERS with the tenant's two lines, each behind its last fellow; unchanged when a path is there.

    The organization and the platform team are those of the line for everything (`*`); without one nothing can
    be told, and the text stays as it is.
    """
    everything = _EVERYTHING.search(text)
    if everything is None:
        return text
    organization, platform = everything.groups()
    own = f"@{organization}/{handle(team)}"
    platform = f"@{organization}/{platform}"
    for folder, file, owners in (
        ("staging", "", own),
        ("production", "release.yaml", f"{own} {platform}"),
    ):
        path = f"/manifests/tenants/{folder}/{name}/{file}"
        if own != platform and not re.search(rf"^{re.escape(path)}\s", text, re.MULTILINE):
            text = _insert(text, f"{path} {owners}", f"/manifests/tenants/{folder}/")
    return text


def _insert(text: str, line: str, fellow: str) -> str:
    lines = text.splitlines()
    fellows = [number for number, other in enumerate(lines) if other.startswith(fellow)]
    # without a fellow behind everything: the last line that fits counts, and no other names this path
    lines.insert(fellows[-1] + 1 if fellows else len(lines), line)
    return "\n".join(lines) + "\n"


def files(repository: Path) -> list[Path]:
    """The CODEOWNERS of a repository: none, one, or one for each host."""
    return [repository / place for place in PLACES if (repository / place).is_file()]
