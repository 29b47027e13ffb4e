"""What git is told by the environment, for every git that a test starts, also by a program under test."""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: What `git rev-parse --local-env-vars` lists: inside a hook these name the hook's repository, and a test's
#: commit would land there.
LOCAL = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
)


def prepare(environment: MutableMapping[str, str]) -> None:
    """Forget the caller's repository, and trust this project's folder whoever owns it.

    A pipeline checks out as one user and runs as another; git takes `safe.directory` from the environment
    (https://git-scm.com/docs/git-config#Documentation/git-config.txt-safedirectory).
    """
    for name in LOCAL:
        environment.pop(name, None)
    for name in [name for name in environment if name.startswith(("GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_"))]:
        del environment[name]
    environment.update(GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0="safe.directory", GIT_CONFIG_VALUE_0=str(ROOT))
