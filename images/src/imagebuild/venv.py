"""A virtual environment as a layer: made by uv in a chroot of the lower layers, at its final path."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from imagebuild import bytecode, process
from imagebuild.chroot import Bind, Chroot, network_binds
from imagebuild.errors import BuildError
from imagebuild.workshop import Workshop

PYTHON = "/usr/bin/python3"
RECIPE = 1
_PASSED_ON = re.compile(
    r"^(UV_(DEFAULT_INDEX|INDEX|INDEX_URL|EXTRA_INDEX_URL|HTTP_TIMEOUT|OFFLINE|NATIVE_TLS|KEYRING\w*|"
    r"INSECURE_HOST|FIND_LINKS)|https?_proxy|no_proxy|all_proxy)$",
    re.IGNORECASE,
)
#: what uv leaves in an environment beside the environment
_LEFTOVERS = (".lock", ".gitignore", "CACHEDIR.TAG")


@dataclass(frozen=True)
class VenvPlan:
    """`place`: the environment's path inside; `mounted`: the folder that is filled, `place` or above it."""

    name: str
    place: str
    mounted: str
    requirements: Path
    hashes: bool = False


def find_uv() -> Path:
    """uv as a program file (a shim of a version manager cannot run in a chroot).

    Raises BuildError without one.
    """
    for candidate in _uv_candidates():
        path = Path(candidate)
        if path.is_file():
            with path.open("rb") as handle:
                if handle.read(4) == b"\x7fELF":
                    return path.resolve()
    raise BuildError("uv is not installed for this Python or on PATH: pip install uv")


def _uv_candidates() -> Iterator[str]:
    for name in (os.environ.get("UV"), shutil.which("uv")):
        if name:
            yield name
    for python in (sys.executable, shutil.which("python3"), str(Path(sys.base_prefix) / "bin/python3")):
        if python:
            done = subprocess.run(
                [python, "-c", "import uv; print(uv.find_uv_bin())"],
                capture_output=True,
                text=True,
                timeout=30,
            )
            if done.returncode == 0:
                yield done.stdout.strip()


def index_environment() -> dict[str, str]:
    """How this machine reaches its package index; used while installing, never part of an image."""
    env = {name: value for name, value in os.environ.items() if _PASSED_ON.match(name)}
    index = os.environ.get("PIP_INDEX_URL")
    if index and not any(name in env for name in ("UV_INDEX_URL", "UV_DEFAULT_INDEX")):
        env["UV_DEFAULT_INDEX"] = index
    return env


def fill(workshop: Workshop, plan: VenvPlan, root: Path, folder: Path) -> None:
    """Make the environment in `folder`, which stands for `plan.mounted` inside `root`."""
    uv = find_uv()
    cache = Path(process.output([uv, "cache", "dir"]).strip())
    cache.mkdir(parents=True, exist_ok=True)
    ca = os.environ.get("SSL_CERT_FILE")
    binds = [
        *network_binds(),
        Bind(folder, plan.mounted),
        Bind(uv, "/mnt/tools/uv", read_only=True),
        Bind(cache, "/mnt/tools/cache"),
        Bind(plan.requirements, "/mnt/tools/requirements.txt", read_only=True),
    ]
    env = {
        **index_environment(),
        "UV_CACHE_DIR": "/mnt/tools/cache",
        "UV_LINK_MODE": "copy",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_PROGRESS": "1",
        "UV_NO_CONFIG": "1",
        "SOURCE_DATE_EPOCH": str(workshop.settings.epoch),
    }
    if ca and Path(ca).is_file():
        binds.append(Bind(Path(ca).resolve(), "/mnt/tools/ca.pem", read_only=True))
        env["SSL_CERT_FILE"] = "/mnt/tools/ca.pem"
    inside = Chroot(root, env=env, binds=tuple(binds))
    interpreter = f"{plan.place}/bin/python"
    log = workshop.log(plan.name)
    with workshop.console.step(f"  {plan.name}: install {_count(plan.requirements)} packages"):
        process.run(inside.argv(["/mnt/tools/uv", "venv", "-q", "--python", PYTHON, plan.place]), log)
        hashes = ["--require-hashes"] if plan.hashes else []
        process.run(
            inside.argv(
                [
                    "/mnt/tools/uv",
                    "pip",
                    "install",
                    "--python",
                    interpreter,
                    "--no-deps",
                    *hashes,
                    "-r",
                    "/mnt/tools/requirements.txt",
                ]
            ),
            log,
        )
        process.run(inside.argv(["/mnt/tools/uv", "pip", "check", "--python", interpreter]), log)
    with workshop.console.step(f"  {plan.name}: compile"):
        _finish(workshop, plan, inside, folder, log)


def _count(requirements: Path) -> int:
    return sum(1 for line in requirements.read_text().splitlines() if re.match(r"^[A-Za-z0-9]", line))


def _finish(workshop: Workshop, plan: VenvPlan, inside: Chroot, folder: Path, log: Path) -> None:
    place = folder / Path(plan.place).relative_to(plan.mounted)
    for name in _LEFTOVERS:
        (place / name).unlink(missing_ok=True)
    settings = place / "pyvenv.cfg"
    settings.write_text(
        "".join(line for line in settings.read_text().splitlines(keepends=True) if not line.startswith("uv "))
    )
    packages = next((place / "lib").glob("python3.*/site-packages"))
    bytecode.settle(folder, workshop.settings.epoch)
    plain = replace(inside, env={}, binds=(Bind(folder, plan.mounted),))
    inside_packages = f"{plan.place}/{packages.relative_to(place)}"
    bytecode.compile_folder(plain, [f"{plan.place}/bin/python"], packages, inside_packages, log)
