"""Check manifests as the platform does, without a cluster and without a network.

    python -m tools.manifests.validate [PATH...]     the repository's manifests/, or your own folders

Every kustomization is built; every object is held against the schema of its kind, every AirflowTenant against
the operator's own model, and all of them against the platform's rules (manifests/policies/README.md). Files
outside of kustomizations are checked as they are; beside kustomizations they count as examples, and are
spared the rules about how a tenant is run. Nothing is changed.
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
from tools.manifests import files, overlays
from tools.manifests.conform import ConformError, schema_findings, tenant_findings
from tools.manifests.findings import TENANT, Finding, Source
from tools.manifests.rules import REGISTRY, RULES
from tools.manifests.secret_rules import SECRET_RULES, secrets_of

ROOT = Path(__file__).resolve().parents[2]
_WORKERS = 2
OK, WRONG, USAGE = 0, 1, 2


def main(arguments: Sequence[str]) -> int:
    """Check, print the report, return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.manifests.validate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Exit code 0: nothing is wrong. 1: the report says what is. 2: options or tools are wrong.",
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
    except (ConformError, DevclusterError, subprocess.SubprocessError) as error:
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


def check(
    paths: Iterable[Path], registry: str = REGISTRY, unknown_kinds: bool = False
) -> tuple[list[Source], dict[Path, list[Finding]]]:
    """Everything that there is to check, and what is wrong with it, by folder.

    Raises ConformError, DevclusterError or SubprocessError when a tool cannot be had or fails.
    """
    sources: list[Source] = []
    findings: dict[Path, list[Finding]] = {}
    for path in paths:
        for found, complaints in (*_built(path), *_loose(path)):
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
    return sources, findings


def _built(path: Path) -> Iterator[tuple[Source, list[Finding]]]:
    folders = files.kustomizations(path) if path.is_dir() else []
    program = tool("kustomize")
    with ThreadPoolExecutor(_WORKERS) as pool:
        for folder, built in zip(
            folders, pool.map(lambda folder: overlays.build_folder(program, folder), folders), strict=True
        ):
            complaints = list(files.overlay_findings(folder))
            if isinstance(built, str):
                complaints.append(Finding("build", "kustomize build", "", " ".join(built.split())))
            objects = () if isinstance(built, str) else tuple(_opened(found) for found in built)
            yield Source(folder, objects), complaints


def _loose(path: Path) -> Iterator[tuple[Source, list[Finding]]]:
    """Files outside of kustomizations, and in those everything that only looks into files can find."""
    loose = set(files.loose(path))
    example = path.is_dir() and bool(files.kustomizations(path))
    for file in files.yaml_files(path):
        read = files.documents(file)
        if isinstance(read, str):
            yield Source(file, ()), [Finding("yaml", file.name, "", read)]
            continue
        objects = tuple(found for found in read if files.is_object(found))
        if objects and file in loose:
            yield Source(file, tuple(_opened(found) for found in objects), example=example), []


def _opened(found: dict[str, object]) -> dict[str, object]:
    """SOPS' own record is no field of Kubernetes; Flux takes it out when it decrypts."""
    return {key: value for key, value in found.items() if key != "sops"} if secrets_of(found) else found


def _with_file(folder: Path, finding: Finding) -> Finding:
    """Name the file that a tenant's field stands in."""
    kind, _, name = finding.subject.partition(" ")
    if kind != TENANT or finding.file or folder.is_file():
        return finding
    return replace(finding, file=files.origin(folder, name, finding.field))


def print_report(sources: Iterable[Source], findings: dict[Path, list[Finding]]) -> None:
    """One line a source, below it what is wrong; what a base does wrong is said once, not in each overlay."""
    said: dict[Finding, Path] = {}
    ordered = sorted(sources, key=lambda source: source.folder)
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
