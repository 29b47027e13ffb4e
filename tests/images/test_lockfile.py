"""The operator's image gets its own dependencies at the versions and hashes of the workspace's lock."""

from __future__ import annotations

from imagebuild import lockfile
from imagebuild.settings import Settings

LOCK = """\
aiohttp==3.14.5 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via kopf
typing-extensions==4.16.0 ; python_full_version < '3.13' \\
    --hash=sha256:cc
    # via
    #   x
"""


def test_each_requirement_keeps_its_hashes() -> None:
    blocks = lockfile.blocks(LOCK)
    assert blocks["aiohttp"] == "aiohttp==3.14.5 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"
    assert blocks["typing-extensions"].endswith("--hash=sha256:cc\n")


def test_constraints_are_plain_pins() -> None:
    assert lockfile.pins(LOCK) == "aiohttp==3.14.5\ntyping-extensions==4.16.0\n"


def test_names_compare_as_on_the_index() -> None:
    assert lockfile.normal("Flask_SQLAlchemy.x") == "flask-sqlalchemy-x"


def test_the_workspaces_lock_holds_what_the_operator_needs_directly() -> None:
    project = Settings.default().project
    blocks = lockfile.blocks((project / "requirements.lock").read_text())
    for requirement in lockfile.dependencies(project / "operator" / "pyproject.toml"):
        name = lockfile.normal(requirement.split("[")[0].split(">")[0].split("=")[0].split("<")[0].strip())
        assert "--hash=sha256:" in blocks[name]
