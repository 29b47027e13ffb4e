"""git-sync as a process on one remote: the stand-in or any other program of the same command line."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.git_remote import Remote


@dataclass
class Sync:
    """git-sync on one remote with one root."""

    binary: Path
    repo: str
    remote: Remote
    home: Path
    root: Path
    remote_base: Path
    env: dict[str, str] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        return self.home / "log"

    def words(self, *arguments: str) -> list[str]:
        return [str(self.binary), f"--repo={self.repo}", f"--root={self.root}", *arguments]

    def environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(self.home), **self.env}

    def once(self, *arguments: str, words: list[str] | None = None) -> tuple[int, str]:
        """Run to the end; returns the code and everything it said."""
        done = subprocess.run(
            self.words(*arguments) if words is None else words,
            env=self.environment(),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
            cwd=self.home,
        )
        return done.returncode, done.stdout

    @contextmanager
    def running(self, *arguments: str, within: tuple[str, ...] = ()) -> Iterator[subprocess.Popen[bytes]]:
        """Run in the background with a short period, by another program `within`; ended afterwards."""
        with self.log.open("wb") as out:
            process = subprocess.Popen(
                [*within, *self.words("--period=100ms", *arguments)],
                env=self.environment(),
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=self.home,
            )
        try:
            yield process
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            if process.poll() is None:
                process.kill()
                process.wait(10)

    def said(self) -> str:
        return self.log.read_text()

    def published(self, link: str = "current") -> str:
        return (self.root / link).readlink().name


def script(folder: Path, text: str) -> Path:
    """An executable shell script for a hook."""
    path = folder / "hook.sh"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path
