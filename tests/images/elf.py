"""Which shared libraries the programs of a folder need, by binutils."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

BATCH = 300


def elf_files(root: Path) -> list[Path]:
    """Every ELF file below root."""
    found = []
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder) / name
            if path.is_symlink() or not path.is_file():
                continue
            if ".so" in name or os.access(path, os.X_OK):
                with path.open("rb") as handle:
                    if handle.read(4) == b"\x7fELF":
                        found.append(path)
    return found


def missing_libraries(root: Path) -> dict[str, str]:
    """Library that is nowhere below root -> one program that needs it."""
    have = {name for _, _, names in os.walk(root) for name in names if ".so" in name}
    missing: dict[str, str] = {}
    paths = elf_files(root)
    for start in range(0, len(paths), BATCH):
        batch = [str(path) for path in paths[start : start + BATCH]]
        said = subprocess.run(["readelf", "-d", *batch], capture_output=True, text=True, timeout=120).stdout
        current = batch[0]
        for line in said.splitlines():
            if line.startswith("File: "):
                current = line.removeprefix("File: ")
            elif "(NEEDED)" in line:
                name = line.split("[", 1)[1].split("]", 1)[0]
                if name not in have:
                    missing.setdefault(name, os.path.relpath(current, root))
    return missing
