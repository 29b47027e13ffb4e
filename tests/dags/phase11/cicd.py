"""A checkout with a real Git remote, and tools that note how they were called."""

from __future__ import annotations

import subprocess
from pathlib import Path

DAG_FILE = """
import pendulum
from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator
with DAG("released", schedule=None, start_date=pendulum.datetime(2024, 1, 1, tz="UTC")):
    EmptyOperator(task_id="first_step")
"""


class Checkout:
    """`path`, `commit`, and what was deployed to which branch of the remote."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "checkout"
        self.remote = folder / "remote.git"
        self.tools = folder / "tools"
        self.calls_file = folder / "calls"
        self.environment_file = folder / "environment"  # what the last call saw
        (self.path / "dags").mkdir(parents=True)
        (self.path / "dags" / "released.py").write_text(DAG_FILE)
        self.tools.mkdir()
        for name in ("ruff", "coverage"):
            self.tool(name)
        git(folder, "init", "-q", "--bare", str(self.remote))
        git(self.path, "init", "-q")
        git(self.path, "remote", "add", "origin", str(self.remote))
        git(self.path, "add", ".")
        git(self.path, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-q", "-m", "A DAG")
        self.commit = git(self.path, "rev-parse", "HEAD")

    def tool(self, name: str, fails_on: str = "-") -> None:
        """A program that notes its arguments and fails when they start with `fails_on`."""
        program = self.tools / name
        program.write_text(
            f'#!/bin/sh\necho "{name} $*" >> "{self.calls_file}"\nenv > "{self.environment_file}"\n'
            f'case "$*" in "{fails_on}"*) exit 1;; esac\n'
        )
        program.chmod(0o755)

    @property
    def conf(self) -> dict[str, str]:
        return {"checkout": self.path.name, "commit": self.commit}

    @property
    def folder(self) -> Path:
        """The folder of all work trees."""
        return self.path.parent

    @property
    def environment(self) -> dict[str, str]:
        """What the last tool saw."""
        lines = self.environment_file.read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    @property
    def calls(self) -> list[str]:
        return self.calls_file.read_text().splitlines() if self.calls_file.exists() else []

    @property
    def deployed(self) -> dict[str, str]:
        lines = git(self.remote, "for-each-ref", "--format=%(refname:short) %(objectname)").splitlines()
        return dict(line.split(" ") for line in lines)


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, timeout=30
    )
    return done.stdout.strip()
