"""What a new tenant's files hold: the templates, and the values that are put into them.

Some templates are the sample team's own files with its name taken out, so that all teams are alike.
``python -m tools.manifests.tenant_files`` writes these again; it is a part of ``make generate``.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

import yaml

TEMPLATES = Path(__file__).resolve().parent / "templates"
EXECUTORS = ("LocalExecutor", "KubernetesExecutor")
ENVIRONMENTS = ("staging", "production")
#: folders with one file a tenant, equal but for the name, and the template of that file
SINGLE_FILES = {"argocd/projects/teams": "argocd/project.yaml.tmpl", "flux/tenants": "flux/tenant.yaml.tmpl"}
SAMPLE = "payments"
#: template -> the sample team's file below manifests/ that it has to be equal to, but for the name
COPIES = {
    "argocd/project.yaml.tmpl": f"argocd/projects/teams/{SAMPLE}.yaml",
    "flux/tenant.yaml.tmpl": f"flux/tenants/{SAMPLE}.yaml",
    "base/namespace.yaml.tmpl": f"tenants/base/{SAMPLE}/namespace.yaml",
    "base/kustomization.yaml.tmpl": f"tenants/base/{SAMPLE}/kustomization.yaml",
    "staging/kustomization.yaml.tmpl": f"tenants/staging/{SAMPLE}/kustomization.yaml",
    "production/kustomization.yaml.tmpl": f"tenants/production/{SAMPLE}/kustomization.yaml",
    "production/release.yaml.tmpl": f"tenants/production/{SAMPLE}/release.yaml",
}
_RELEASE = re.compile(r"(?<=value: )v\d\S*$", re.MULTILINE)
#: a template's line that ends so is written only when that choice was made
_CHOICE = re.compile(r"\s*#\? (\w+)$")


@dataclass(frozen=True)
class Request:
    """What the user asks for; `email` may be empty."""

    name: str
    team: str
    repo: str
    release: str = "v1.0.0"
    executor: str = EXECUTORS[0]
    email: str = ""
    slack: str = "#airflow"

    @property
    def choices(self) -> frozenset[str]:
        """The names of the template lines that are wanted."""
        made = {
            "email": bool(self.email),
            "local": self.executor == "LocalExecutor",
            "pods": self.executor == "KubernetesExecutor",
        }
        return frozenset(name for name, wanted in made.items() if wanted)

    @property
    def words(self) -> dict[str, str]:
        """What stands for each placeholder of a template, as a YAML scalar."""
        values = {
            "name": self.name,
            "team": self.team,
            "repo": self.repo,
            "release": self.release,
            "email": self.email,
            "slack": self.slack,
        }
        # the name is a part of longer words and needs no quotes: its characters are checked
        return {key: value if key == "name" else _scalar(value) for key, value in values.items()}


def _scalar(text: str) -> str:
    return yaml.safe_dump(text, width=1000).removesuffix("\n").removesuffix("\n...")


def render(template: Path, request: Request) -> str:
    """The text of one file. Raises KeyError for a placeholder that nobody knows."""
    lines = []
    for line in template.read_text(encoding="utf-8").splitlines():
        choice = _CHOICE.search(line)
        if choice is None or choice[1] in request.choices:
            lines.append(_CHOICE.sub("", line))
    return Template("\n".join(lines) + "\n").substitute(request.words)


def files(request: Request) -> dict[Path, str]:
    """Every file of the tenant, relative to manifests/, and its text."""
    found: dict[Path, str] = {}
    for folder in ("base", *ENVIRONMENTS):
        for template in sorted((TEMPLATES / folder).glob("*.tmpl")):
            found[Path("tenants", folder, request.name, template.stem)] = render(template, request)
    for folder, single in SINGLE_FILES.items():
        found[Path(folder, f"{request.name}.yaml")] = render(TEMPLATES / single, request)
    return found


def listings(request: Request) -> dict[Path, str]:
    """Kustomizations, relative to manifests/, and the resource that each has to list."""
    entries = {
        Path("tenants", folder, "kustomization.yaml"): request.name for folder in ("base", *ENVIRONMENTS)
    }
    singles = {Path(folder, "kustomization.yaml"): f"{request.name}.yaml" for folder in SINGLE_FILES}
    return {**entries, **singles}


def without_name(text: str) -> str:
    """The template that the sample team's file is: its name and its release become placeholders."""
    return _RELEASE.sub("${release}", text.replace("$", "$$").replace(SAMPLE, "${name}"))


def write_copies(manifests: Path, templates: Path) -> list[str]:
    """Write the templates that are copies; returns those that stay, because their sample is gone."""
    gone = []
    for template, sample in COPIES.items():
        if not (manifests / sample).is_file():
            gone.append(template)
            continue
        text = without_name((manifests / sample).read_text(encoding="utf-8"))
        (templates / template).write_text(text, encoding="utf-8")
    return gone


def main(argv: Sequence[str] | None = None) -> int:
    """Write the templates of this clone; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.manifests.tenant_files",
        description="Write the templates of new tenants that are the sample team's own files.",
    )
    parser.parse_args(argv)
    for template in write_copies(Path(__file__).resolve().parents[2] / "manifests", TEMPLATES):
        print(f"{template}: kept, manifests/{COPIES[template]} is gone")
    return 0


if __name__ == "__main__":
    sys.exit(main())
