"""Compile Python for an image: `airflow version` costs 1.2 CPU seconds with compiled modules and 3.3 without.

Two traps are handled here. A layer sets every time stamp to one moment, and a `.pyc` that recorded another
one is compiled again at each start: so the sources get that moment first. And the bytes of a `.pyc` depend
on what the same process compiled before: so each process gets a fixed share of the files in a fixed order,
whatever the number of CPUs.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from imagebuild import process
from imagebuild.chroot import Chroot
from imagebuild.errors import BuildError

SHARES = 4
RECIPE = 1
#: at least so much of the sources must compile (templates and test data of some packages are no valid Python)
ENOUGH = 0.95
_SKIP = r"/(test_data|lib2to3|bad_coding|badsyntax)"


def settle(tree: Path, epoch: int) -> None:
    """Give every entry below `tree` the time that the layer will give it."""
    for folder, names, files in os.walk(tree):
        for name in (*names, *files):
            os.utime(f"{folder}/{name}", (epoch, epoch), follow_symlinks=False)


def shares_of(folder: Path, count: int = SHARES) -> list[list[str]]:
    """Names in `folder` in `count` shares of about equal work, the same for the same content."""
    sizes = {entry.name: _work(entry) for entry in folder.iterdir() if entry.name != "__pycache__"}
    loads = [0] * count
    shares: list[list[str]] = [[] for _ in range(count)]
    for name in sorted(sizes, key=lambda item: (-sizes[item], item)):
        if sizes[name]:
            lightest = loads.index(min(loads))
            loads[lightest] += sizes[name]
            shares[lightest].append(name)
    return [sorted(share) for share in shares if share]


def _work(entry: Path) -> int:
    if entry.is_file():
        return entry.stat().st_size if entry.suffix == ".py" else 0
    return sum(path.stat().st_size for path in entry.rglob("*.py"))


def compile_folder(chroot: Chroot, python: Sequence[str], folder: Path, inside: str, log: Path) -> None:
    """Compile what is in `folder` (known inside as `inside`) with the image's own interpreter.

    Raises BuildError when a good part did not compile.
    """
    quiet = replace(chroot, env={**chroot.env, "PYTHONHASHSEED": "0"})

    def one(number_and_share: tuple[int, list[str]]) -> None:
        number, share = number_and_share
        command = [
            *python,
            "-m",
            "compileall",
            "-q",
            "-j",
            "1",
            "--invalidation-mode",
            "timestamp",
            "-x",
            _SKIP,
            *[f"{inside}/{name}" for name in share],
        ]
        # code 1: some file is no valid Python; the count below says whether that is the exception
        process.run(
            quiet.argv(["/bin/bash", "-c", '"$@" || [[ $? == 1 ]]', "compile", *command]),
            log.with_name(f"{log.stem}-{number}{log.suffix}"),
        )

    with ThreadPoolExecutor(max_workers=min(SHARES, os.cpu_count() or 1)) as pool:
        list(pool.map(one, enumerate(shares_of(folder))))
    sources = sum(1 for _ in folder.rglob("*.py"))
    compiled = sum(1 for _ in folder.rglob("*.pyc"))
    if compiled < sources * ENOUGH:
        raise BuildError(
            f"only {compiled} of {sources} modules of {inside} compiled: see {log.parent}/{log.stem}-*.log"
        )
