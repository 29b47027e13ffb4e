"""Begin a tenant: write its files into manifests/, ready for a pull request.

``python -m tools.manifests.new_tenant payments2 --team payments`` writes ``tenants/base/payments2``,
``tenants/staging/payments2``, ``tenants/production/payments2``, Argo CD's project
``argocd/projects/teams/payments2.yaml`` and Flux' ``flux/tenants/payments2.yaml`` from
``tools/manifests/templates``, lists them in the kustomizations above them and the team in CODEOWNERS. A file
that exists is never written again, so the command can be repeated: it adds what is missing and says what it
left alone.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from tenant_operator.api.tenant import TenantSpec
from tenant_operator.core import names
from tools.manifests import owners
from tools.manifests.listing import ListingError, add_resource
from tools.manifests.rules import FIXED_REF
from tools.manifests.tenant_files import EXECUTORS, SINGLE_FILES, Request, files, listings

ROOT = Path(__file__).resolve().parents[2]
#: folders of manifests/tenants, and folders that checks of files pass over
RESERVED = frozenset({"base", "staging", "production", "demo", "library", "templates", "testdata"})
_TEAM_RULE = "letters, digits, - _ and ., at most 63 of them, a letter or digit at both ends"
#: where a value of the tenant comes from, by the end of the path at which the model refuses it
_OPTION_OF = {
    ("owner", "team"): "--team",
    ("owner", "email"): "--email",
    ("owner", "slack"): "--slack",
    ("gitSync", "repo"): "--repo",
    ("gitSync", "ref"): "--release",
}

DESCRIPTION = """\
Write the files of a new tenant: its base, its staging and production overlays, its project in Argo CD and its
Kustomization in Flux (delete the folder of the tool that you do not use: it is left out then).

Files that exist are left alone, whatever they hold: repeat the command as often as you like.
"""
EPILOG = """\
examples:
  python -m tools.manifests.new_tenant payments2 --team payments --email payments@example.com
  python -m tools.manifests.new_tenant fraud --team risk --executor KubernetesExecutor --slack '#risk'
  make new-tenant NAME=payments2 TEAM=payments

exit codes: 0 all files are there, 2 wrong arguments, nothing was written
"""


class Refused(Exception):
    """Arguments that make no tenant; the message has one line for each, with the option and the remedy."""


@dataclass(frozen=True)
class Outcome:
    """What became of one file: `written`, `listed`, `unchanged` or `kept` (it differs from the template)."""

    path: Path
    did: str


def check(request: Request, manifests: Path) -> None:
    """Raise Refused with everything that is wrong, or return."""
    faults = [
        *_name_faults(request.name),
        *_value_faults(request),
        *_release_faults(request.release),
        *_team_faults(request, manifests),
    ]
    if faults:
        raise Refused("\n".join(faults))


def _name_faults(name: str) -> Iterator[str]:
    if not re.fullmatch(names.NAME_PATTERN, name):
        yield f"NAME {name!r} {names.NAME_RULE}, and end with a letter or digit: for example payments2"
    if len(name) > names.MAX_TENANT_NAME:
        yield (
            f"NAME has {len(name)} characters, at most {names.MAX_TENANT_NAME} are allowed, because it "
            "becomes a part of every name: choose a shorter one"
        )

    if name in RESERVED:
        yield f"NAME {name!r} is a folder that is no tenant's: choose another, for example {name}-team"


def _value_faults(request: Request) -> Iterator[str]:
    """What the operator's own model says of the values."""
    spec = {
        "owner": {"team": request.team, "email": request.email, "slack": request.slack},
        "dags": {
            "sources": [{"name": "main", "gitSync": {"repo": request.repo, "ref": request.release}}],
        },
    }
    try:
        TenantSpec.model_validate(spec)
    except ValidationError as error:
        for fault in error.errors():
            place = [str(part) for part in fault["loc"]]
            option = _OPTION_OF.get((place[-2], place[-1]) if len(place) > 1 else ("", ""), ".".join(place))
            rule = _TEAM_RULE if option == "--team" else fault["msg"].removeprefix("Value error, ")
            yield f"{option} {fault['input']!r}: {rule}"


def _release_faults(release: str) -> Iterator[str]:
    if not FIXED_REF.fullmatch(release):
        yield f"--release {release!r}: production runs a tag like v1.2.3 or a full commit hash"


def _team_faults(request: Request, manifests: Path) -> Iterator[str]:
    file = manifests / "tenants" / "base" / request.name / "tenant.yaml"
    if not file.is_file():
        return
    try:
        document: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
        owner = document["spec"]["owner"]["team"]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
        yield f"NAME {request.name!r}: {file} cannot be read as a tenant ({error}): repair it first"
        return
    if owner != request.team:
        yield (
            f"--team {request.team!r}: the tenant {request.name} exists and belongs to team {owner!r}: "
            f"choose another NAME, or --team {owner}"
        )


def write(request: Request, manifests: Path) -> list[Outcome]:
    """Write what is missing; returns what became of each file.

    Raises Refused, before anything is written: wrong values, or a kustomization that cannot be extended.
    """
    check(request, manifests)
    listed = manifests / "tenants" / "base" / "kustomization.yaml"
    if not listed.is_file():
        raise Refused(f"--manifests {manifests}: there is no {listed}: name the folder manifests of a clone")
    extended = {
        manifests / path: _extended(manifests / path, entry)
        for path, entry in listings(request).items()
        if (manifests / path).is_file()
    }
    for path in owners.files(manifests.parent):
        extended[path] = owners.add(_text(path), request.name, request.team)
    unused = [manifests / folder for folder in SINGLE_FILES if not (manifests / folder).is_dir()]
    texts = {manifests / path: text for path, text in files(request).items()}
    texts = {path: text for path, text in texts.items() if path.parent not in unused}
    for path in texts:
        blocking = next(above for above in (path, *path.parents) if above.exists())
        if blocking.is_file() != (blocking == path):
            raise Refused(f"{blocking} is in the way of {path}: move it away first")
    outcomes = [_write_file(path, text) for path, text in texts.items()]
    return outcomes + [_write_listing(path, text) for path, text in extended.items()]


def _text(path: Path) -> str:
    """A file's text with its own line ends. Raises Refused."""
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(f"{path} is not UTF-8 ({error}): repair it first") from error


def _extended(path: Path, entry: str) -> str:
    try:
        return add_resource(_text(path), entry)
    except ListingError as error:
        raise Refused(f"{path}: {error}") from error


def _write_file(path: Path, text: str) -> Outcome:
    if path.exists():
        return Outcome(path, "unchanged" if path.read_bytes() == text.encode() else "kept")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return Outcome(path, "written")


def _write_listing(path: Path, text: str) -> Outcome:
    if path.read_bytes() == text.encode():
        return Outcome(path, "unchanged")
    path.write_bytes(text.encode())
    return Outcome(path, "listed")


_SAID: Mapping[str, str] = {
    "written": "written",
    "listed": "now names it",
    "unchanged": "unchanged",
    "kept": "kept: it differs from what would be written (edited by hand, or made with other options)",
}


def _next_steps(request: Request, outcomes: Sequence[Outcome]) -> str:
    if not any(outcome.did in {"written", "listed"} for outcome in outcomes):
        return "Nothing to do: all files were there. To change the tenant, edit them; they are yours."
    return f"""
Next:
  1. Read manifests/tenants/base/{request.name}/tenant.yaml and fill in pools, connections, network. Its group
     {request.name}-devs is also in argocd/projects/teams/{request.name}.yaml: make it in your identity
     provider, or name the team's own group in both files.
  2. Put into the secret store: key airflow/{request.name}/git-credentials, properties username and password
     (a token that may read {request.repo});
     key airflow/{request.name}/alerts, property slack-api-url: the webhook of {request.slack},
     where production's alerts go (PagerDuty instead: tenants/production/{request.name}/tenant.yaml).
  3. make validate
  4. git switch -c tenant-{request.name}
     git add manifests .github && git commit -m "Tenant {request.name} of team {request.team}"
     git push -u origin tenant-{request.name}, and open a pull request: its comment shows what will change.
  5. Production starts with the tag {request.release} of the team's repository
     (manifests/tenants/production/{request.name}/release.yaml): set it, or change the line.
More: docs/onboarding.md"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.manifests.new_tenant",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="NAME", help="the tenant: part of every name, at most 40 characters")
    parser.add_argument("--team", required=True, help="the team that owns it; it may have several tenants")
    parser.add_argument("--email", default="", help="the team's address: first administrator, alerts")
    parser.add_argument("--slack", help="the team's channel, where alerts go (default: #TEAM)")
    parser.add_argument("--repo", help="(default: https://git.example.com/TEAM/airflow-dags.git)")
    parser.add_argument("--release", default="v1.0.0", help="production's tag of it (default: %(default)s)")
    parser.add_argument("--executor", choices=EXECUTORS, default=EXECUTORS[0], help="(default: %(default)s)")
    parser.add_argument("--manifests", type=Path, default=ROOT / "manifests", help="(default: this clone's)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    options = _parser().parse_args(argv)
    request = Request(
        name=options.name,
        team=options.team,
        repo=options.repo or f"https://git.example.com/{owners.handle(options.team)}/airflow-dags.git",
        release=options.release,
        executor=options.executor,
        email=options.email,
        slack=options.slack or f"#{owners.handle(options.team)}",
    )
    try:
        outcomes = write(request, options.manifests)
    except Refused as error:
        print(f"new-tenant: nothing was written:\n{error}", file=sys.stderr)
        return 2
    for outcome in outcomes:
        print(f"{outcome.path}: {_SAID[outcome.did]}")
    print(_next_steps(request, outcomes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
