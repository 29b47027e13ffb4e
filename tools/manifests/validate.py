"""Check manifests as the platform does, without a cluster and without a network.

    python -m tools.manifests.validate [PATH...]     the repository's manifests/, or your own folders

Every kustomization is built; every object is held against the schema of its kind, every AirflowTenant against
the operator's own model, and all of them against the platform's rules (manifests/policies/README.md). Files
outside of kustomizations are checked as they are; beside kustomizations they count as examples, and are
spared the rules about how a tenant is run. Every file is searched for secrets, and one that lies among
kustomizations and is named by none is a fault: nobody looks at it. Nothing is changed or fetched.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from devcluster.errors import DevclusterError
from devcluster.tools import tool
from tools.manifests import files, overlay_rules, overlays, scope
from tools.manifests.conform import ConformError, schema_findings, tenant_findings
from tools.manifests.findings import ENVIRONMENTS, TENANT, Finding, Object, Source
from tools.manifests.rules import REGISTRY, RULES
from tools.manifests.secret_rules import FILE_RULES, SECRET_RULES

ROOT = Path(__file__).resolve().parents[2]
_WORKERS = 2
OK, WRONG, USAGE = 0, 1, 2


def main(arguments: Sequence[str]) -> int:
    """Check, print the report, return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.manifests.validate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Exit code 0: nothing is wrong. 1: the report says what is. 2: options or tools are wrong, or "
        "there is nothing to check.",
    )
    parser.add_argument(
        "paths", nargs="*", type=Path, metavar="PATH", help="folder or file (default: manifests)"
    )
    parser.add_argument(
        "--registry",
        default=REGISTRY,
        metavar="PREFIX",
        help="where images must come from (default: %(default)s)",
    )
    parser.add_argument(
        "--unknown-kinds",
        action="store_true",
        help="let kinds pass that there is no schema for (default: they fail)",
    )
    options = parser.parse_args(arguments)
    paths = options.paths or [ROOT / "manifests"]
    missing = [path for path in paths if not path.exists()]
    if missing:
        sys.stderr.write(f"{missing[0]}: there is no such file or folder\n")
        return USAGE
    started = time.monotonic()
    try:
        sources, findings = check([_shown(path) for path in paths], options.registry, options.unknown_kinds)
    except (NothingToCheck, ConformError, DevclusterError, OSError, subprocess.SubprocessError) as error:
        sys.stderr.write(f"{error}\n")
        return USAGE
    print_report(sources, findings)
    sys.stderr.write(
        f"{time.monotonic() - started:.1f} s\n"
    )  # not in the report: that is the same every time
    return WRONG if any(findings.values()) else OK


def _shown(path: Path) -> Path:
    """Relative to the working folder where that is shorter."""
    try:
        return path.resolve().relative_to(Path.cwd())
    except ValueError:
        return path.resolve()


class NothingToCheck(Exception):
    """A path holds no object: a wrong path must not look like a good one."""


def check(
    paths: Iterable[Path], registry: str = REGISTRY, unknown_kinds: bool = False
) -> tuple[list[Source], dict[Path, list[Finding]]]:
    """Everything that there is to check, and what is wrong with it, by folder.

    Raises NothingToCheck, or ConformError, DevclusterError, SubprocessError when a tool is missing or fails.
    """
    sources: list[Source] = []
    findings: dict[Path, list[Finding]] = {}
    for path in paths:
        here = [*_built(path), *_loose(path), *_teams(path)]
        if not here:
            raise NothingToCheck(f"{path}: nothing to check: no kustomization and no object is there")
        for found, complaints in here:
            sources.append(found)
            findings.setdefault(found.folder, []).extend(complaints)
    refused = schema_findings(sources, unknown_kinds=unknown_kinds)
    for source in sources:
        mine = findings[source.folder]
        mine.extend(refused.get(source.folder, []))
        for rule in (*(() if source.example else RULES), *SECRET_RULES):
            mine.extend(rule(source, registry))
        mine.extend(tenant_findings(source))
        findings[source.folder] = sorted({_with_file(source.folder, finding) for finding in mine})
    said = {replace(finding, file="") for listed in findings.values() for finding in listed}
    for path in paths:
        for found, complaints in _every_file(path, registry, said):
            sources.append(found)
            findings.setdefault(found.folder, []).extend(complaints)
    return sources, findings


def _built(path: Path) -> Iterator[tuple[Source, list[Finding]]]:
    folders = files.kustomizations(path) if path.is_dir() else []
    teams = {team.folder: team for team in scope.teams(path)}
    with ThreadPoolExecutor(_WORKERS) as pool:
        bases = {team.base for team in teams.values() if team.layer != "base"} - set(folders)
        wanted = [*folders, *(base for base in sorted(bases) if files.kustomization(base))]
        built = dict(zip(wanted, pool.map(_build, wanted), strict=True))
    for folder in folders:
        objects = built[folder]
        source = Source(folder, () if isinstance(objects, str) else objects, root=path)
        complaints = [
            *overlay_rules.remote_findings(folder),
            *overlay_rules.overlay_findings(folder, source.layer),
        ]
        if isinstance(objects, str):
            complaints.append(Finding("build", "kustomize build", "", " ".join(objects.split())))
        elif folder in teams:
            complaints.extend(_of_team(teams[folder], source, built))
        yield source, complaints


def _build(folder: Path) -> tuple[Object, ...] | str:
    if next(files.remote(folder), None):
        return "not built: it would fetch from elsewhere"
    found = overlays.build_folder(tool("kustomize"), folder)
    return found if isinstance(found, str) else tuple(one for many in found for one in files.unpacked(many))


def _of_team(
    team: scope.Team, source: Source, built: dict[Path, tuple[Object, ...] | str]
) -> Iterator[Finding]:
    yield from scope.scope_findings(team, source)
    base = built.get(team.base, "")
    if team.layer in ENVIRONMENTS and not isinstance(base, str):
        yield from overlay_rules.compared(team.folder, base, source.objects)
    release = team.folder / "release.yaml"
    if team.layer in ENVIRONMENTS and release.is_file():
        yield from overlay_rules.release_findings(release)


def _loose(path: Path) -> Iterator[tuple[Source, list[Finding]]]:
    """Files outside of kustomizations; of those inside, what cannot be read or is named by none."""
    example = path.is_dir() and bool(files.kustomizations(path))
    named = files.named_files(path) if path.is_dir() else set()
    teams = [team.folder.absolute() for team in scope.teams(path)]
    for file in files.yaml_files(path):
        read = files.documents(file)
        if isinstance(read, str):
            yield Source(file, (), root=path), [Finding("yaml", file.name, "", read)]
            continue
        objects = tuple(found for found in read if files.is_object(found))
        if not objects or file.absolute() in named:
            continue
        if not files.governed(file, path):
            yield Source(file, objects, example=example, root=path), []
        elif not any(file.absolute().is_relative_to(folder) for folder in teams):  # these: scope.py
            message = "no kustomization names it, so that nobody looks at it: list it, or remove it"
            yield Source(file, (), root=path), [Finding("unlisted", file.name, "", message)]


def _teams(path: Path) -> Iterator[tuple[Source, list[Finding]]]:
    for team in scope.teams(path):
        complaints = list(scope.directory_findings(team))
        if complaints:
            yield Source(team.folder, (), root=path), complaints


def _every_file(path: Path, registry: str, said: set[Finding]) -> Iterator[tuple[Source, list[Finding]]]:
    """Secrets in files, built or not: they are in Git. Not what was `said` of a build."""
    for file in files.yaml_files(path):
        read = files.documents(file)
        source = Source(file, () if isinstance(read, str) else tuple(read), example=True, root=path)
        complaints = sorted({finding for rule in FILE_RULES for finding in rule(source, registry)} - said)
        if complaints:
            yield replace(source, objects=()), complaints


def _with_file(folder: Path, finding: Finding) -> Finding:
    """Name the file that a tenant's field stands in."""
    kind, _, name = finding.subject.partition(" ")
    if kind != TENANT or finding.file or folder.is_file():
        return finding
    return replace(finding, file=files.origin(folder, name, finding.field))


def print_report(sources: Iterable[Source], findings: dict[Path, list[Finding]]) -> None:
    """One line a source, below it what is wrong; what a base does wrong is said once, not in each overlay."""
    said: dict[Finding, Path] = {}
    merged: dict[Path, Source] = {}
    for source in sources:
        if source.folder not in merged or source.objects:
            merged[source.folder] = source
    ordered = sorted(merged.values(), key=lambda source: source.folder)
    for source in ordered:
        mine = findings[source.folder]
        new = [finding for finding in mine if finding not in said]
        repeated = len(mine) - len(new)
        said.update(dict.fromkeys(new, source.folder))
        words = (
            f"{len(mine)} wrong" + (f", {repeated} of it said above" if repeated else "") if mine else "ok"
        )
        print(f"{source.folder.as_posix():<58} {len(source.objects):>4} objects  {words}")
        for finding in new:
            print(f"    {finding}")
    objects = sum(len(source.objects) for source in ordered)
    tenants = sum(1 for source in ordered for _ in source.of(TENANT))
    print(f"{len(ordered)} checked, {objects} objects, {tenants} of them tenants: {len(said)} wrong")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
