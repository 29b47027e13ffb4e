"""Call git about one repository: the one that is named, whatever the caller's environment says.

Inside a hook git's variables name another repository; in a container a checkout belongs to another user,
which git takes for dubious.
https://git-scm.com/docs/git#_environment_variables
https://git-scm.com/docs/git-config#Documentation/git-config.txt-safedirectory
"""

from __future__ import annotations

import os
from pathlib import Path

#: what would lead git to another repository than the named one
_ELSEWHERE = frozenset(
    f"GIT_{name}"
    for name in (
        *("DIR", "WORK_TREE", "INDEX_FILE", "COMMON_DIR", "OBJECT_DIRECTORY"),
        *("ALTERNATE_OBJECT_DIRECTORIES", "NAMESPACE", "PREFIX"),
    )
)


def command(repository: Path, *arguments: str) -> list[str]:
    """The command line: git in `repository`, which may belong to somebody else."""
    return ["git", "-c", f"safe.directory={repository.resolve()}", "-C", str(repository), *arguments]


def environment() -> dict[str, str]:
    """The caller's variables without those that name a repository."""
    return {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
