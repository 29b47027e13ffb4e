"""One version everywhere: the tag, every package, both charts, the changelog."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from tools.release import changelog
from tools.release.common import ReleaseError

#: v1.2.3 or v1.2.3-rc.1 (https://semver.org); charts must be semantic versions, too
_TAG = re.compile(r"v(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)")
OPERATOR_CHART = "charts/tenant-operator"
TENANT_CHART = "charts/airflow-tenant"


def version_of(tag: str) -> str:
    """`v1.2.3` -> `1.2.3`. Raises ReleaseError for anything else."""
    match = _TAG.fullmatch(tag)
    if match is None:
        raise ReleaseError(f"the tag {tag!r} is no version: it must be like v1.2.3 or v1.2.3-rc.1")
    return match[1]


def is_newest(version: str, released: Iterable[str]) -> bool:
    """Whether what means "the newest" may move to `version`: no candidate, and no released tag is higher."""
    if "-" in version:
        return False
    finals = [found[1] for found in map(_TAG.fullmatch, released) if found and "-" not in found[1]]
    return all(_order(version) >= _order(other) for other in finals)


def _order(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def current(root: Path) -> str:
    """The version that the root's pyproject.toml states."""
    return str(_project(root / "pyproject.toml")["version"])


def members(root: Path) -> list[Path]:
    """Every pyproject.toml of the project: the root, the workspace's members and the DAG library."""
    workspace = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["uv"][
        "workspace"
    ]
    folders = [*workspace["members"], "dags/lib"]
    return [root / "pyproject.toml", *(root / folder / "pyproject.toml" for folder in folders)]


def check(tag: str, root: Path) -> None:
    """Raise ReleaseError with every place that does not have the tag's version."""
    version = version_of(tag)
    faults = [*_stated(version, root), *_airflow(root), *_written(version, root)]
    if faults:
        raise ReleaseError(f"{tag} cannot be released:\n" + "\n".join(f"- {fault}" for fault in faults))


def _stated(version: str, root: Path) -> Iterator[str]:
    for path in members(root):
        found = _project(path)["version"]
        if _normal(found) != _normal(version):
            yield f"{path.relative_to(root)}: version is {found}, write {version}"
    for chart in (OPERATOR_CHART, TENANT_CHART):
        found = _chart(root / chart)["version"]
        if found != version:
            yield f"{chart}/Chart.yaml: version is {found}, write {version}"
    found = _chart(root / OPERATOR_CHART)["appVersion"]
    if found != version:
        yield f"{OPERATOR_CHART}/Chart.yaml: appVersion is {found}, write {version}: it is the image's tag"


def _airflow(root: Path) -> Iterator[str]:
    """The tenant chart's application is Airflow: it must be the one of the image."""
    wanted = _chart(root / TENANT_CHART)["appVersion"]
    recipe = (root / "images/airflow/Containerfile").read_text(encoding="utf-8")
    match = re.search(r"org\.opencontainers\.image\.version=(\S+)", recipe)
    found = match[1] if match else "none"
    if found != wanted:
        yield f"images/airflow/Containerfile: version is {found}, the tenant chart's appVersion {wanted}"


def _written(version: str, root: Path) -> Iterator[str]:
    try:
        changelog.section(root / "CHANGELOG.md", version)
    except ReleaseError as error:
        yield str(error)


def _project(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
    return found


def _chart(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((folder / "Chart.yaml").read_text(encoding="utf-8"))
    return found


def _normal(version: str) -> str:
    """Python writes 1.2.3rc1 where charts have 1.2.3-rc.1 (PEP 440 against semver)."""
    return re.sub(r"[-.]?(a|b|rc|alpha|beta)[-.]?", r"\1", version)
