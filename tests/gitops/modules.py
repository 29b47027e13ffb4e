"""Sources of other projects out of Go's module cache: their own definitions of kinds and configuration."""

from __future__ import annotations

import functools
import json
import subprocess
from pathlib import Path

from devcluster.recipes import RECIPES


@functools.cache
def source(tool: str) -> Path:
    """The folder with the source of the version that `devcluster tool <tool>` builds; read-only."""
    recipe = RECIPES[tool]
    wanted = f"{recipe.version_of}@{recipe.version()}"
    done = subprocess.run(
        ["go", "mod", "download", "-json", wanted],
        cwd=recipe.directory,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Path(json.loads(done.stdout)["Dir"])
