"""The teams' directories: what they may hold, and that nothing in them is overlooked.

A tree of teams is a folder with base/<team>/; staging/<team>/ and production/<team>/ patch these. Argo CD
applies a directory without a kustomization as it is, and finds more than kustomize does: a directory is
built, or it is a fault.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tenant_operator.core import names
from tools.manifests import files
from tools.manifests.findings import ENVIRONMENTS, TENANT, Finding, Object, Source, metadata, notes, subject

SERVER = "https://kubernetes.default.svc"
_PROJECTS = Path("argocd") / "projects" / "teams"
_TENANT_OF = "airflowtenants.io/tenant"
_LAYERS = ("base", *ENVIRONMENTS)
#: folders of manifests/tenants that are no teams, and what a name must not be because a rule goes by it
RESERVED = frozenset({*_LAYERS, "demo", "library", "templates", "testdata"})
_NAME = re.compile(names.NAME_PATTERN)
#: annotations that a team may write on its namespace; labels are the operator's
_NAMESPACE_NOTES = (_TENANT_OF, "argocd.argoproj.io/", "kustomize.toolkit.fluxcd.io/")
#: options by which Argo CD would write a namespace anew, without the operator's labels
_REPLACING = re.compile(r"\b(Replace|Force)=true", re.I)


@dataclass(frozen=True)
class Team:
    """One directory of a team: tree/layer/name."""

    tree: Path
    layer: str
    name: str

    @property
    def folder(self) -> Path:
        """The directory."""
        return self.tree / self.layer / self.name

    @property
    def base(self) -> Path:
        """The team's directory in base."""
        return self.tree / "base" / self.name


def teams(root: Path) -> list[Team]:
    """The directories of teams that are `root`, or below it."""
    if root.is_file():
        return []
    layers = {path for path in root.rglob("*") if path.name in _LAYERS and path.is_dir()}
    layers |= {folder for folder in (root, root.absolute().parent) if folder.name in _LAYERS}
    found = {}
    for layer in layers:
        for folder in layer.iterdir() if _is_tree(layer.parent) else ():
            mine = folder.absolute().is_relative_to(root.absolute())
            if mine and folder.is_dir() and not folder.name.startswith("."):
                found[folder.absolute()] = Team(_near(layer.parent, root), layer.name, folder.name)
    return [found[folder] for folder in sorted(found)]


def _near(tree: Path, root: Path) -> Path:
    """As the root is written: relative to the working folder where that is shorter."""
    try:
        return tree if not tree.is_absolute() or root.is_absolute() else tree.relative_to(Path.cwd())
    except ValueError:
        return tree


def _is_tree(folder: Path) -> bool:
    base = folder / "base"
    return base.is_dir() and any(files.kustomization(team) for team in base.iterdir() if team.is_dir())


def directory_findings(team: Team) -> Iterator[Finding]:
    """A team's directory is built, listed, has a base and a project; nothing in it is looked at by nobody."""
    name = team.folder.as_posix()
    if not _NAME.fullmatch(team.name) or team.name in RESERVED:
        message = f"{team.name} {names.NAME_RULE}" if team.name not in RESERVED else "is a word of this tree"
        yield Finding("name", name, "", f"{message}: choose another name")
    if not files.kustomization(team.folder):
        message = (
            "there is no kustomization.yaml: Argo CD would apply every file, and nothing here is checked"
        )
        yield Finding("unlisted", name, "", message)
        return
    if team.layer != "base" and not files.kustomization(team.base):
        yield Finding("patch-only", name, "", f"there is no {team.base.as_posix()}: an overlay patches base")
    above = team.folder.parent
    listed = {entry.strip("./") for field, entry in files.entries(files.read_kustomization(above))}
    if files.kustomization(above) and team.name not in listed:
        yield Finding("unlisted", name, "", f"list it in the kustomization of {above.as_posix()}")
    if _projects(team).is_dir() and not _project(team):
        message = f"there is no AppProject of it in {_PROJECTS.as_posix()}/{team.name}.yaml"
        yield Finding("team-scope", name, "", f"{message}: make new-tenant writes one")
    named = files.named_files(team.folder)
    for file in sorted(team.folder.rglob("*")):
        if file.is_file() and file.absolute() not in named and file.suffix != ".md":
            message = "no kustomization names it, so that nobody looks at it: list it, or remove it"
            yield Finding("unlisted", file.as_posix(), "", message)


def _projects(team: Team) -> Path:
    return team.tree.absolute().parent / _PROJECTS


def _project(team: Team) -> Object | None:
    found = files.documents(_projects(team) / f"{team.name}.yaml")
    listed = found if isinstance(found, list) else []
    return next((document for document in listed if document.get("kind") == "AppProject"), None)


def scope_findings(team: Team, source: Source) -> Iterator[Finding]:
    """A team's directory holds its tenant, its namespace without labels, and what may be in there."""
    project = _project(team) or _usual(team.name)
    own = f"airflow-{team.name}"
    for found in source.objects:
        if found.get("kind") == "Namespace" and metadata(found).get("name") == own:
            yield from _namespace_findings(found)
        elif not admitted(project, found):
            message = f"is nothing that the directory of team {team.name} may hold: the platform's to apply"
            yield Finding("team-scope", subject(found), "", message)


def _namespace_findings(found: Object) -> Iterator[Finding]:
    labels = metadata(found).get("labels")
    for key in sorted(labels) if isinstance(labels, dict) else ():
        message = "labels of a tenant's namespace are the operator's (spec.namespace.labels): remove it"
        yield Finding("team-scope", subject(found), f"metadata.labels[{key}]", message)
    for key, value in sorted(notes(found).items()):
        if not str(key).startswith(_NAMESPACE_NOTES):
            message = "is the platform's (spec.namespace.annotations): remove it"
            yield Finding("team-scope", subject(found), f"metadata.annotations[{key}]", message)
        elif _REPLACING.search(str(value)):
            message = f"{value}: would write the namespace anew, without the operator's labels: remove it"
            yield Finding("team-scope", subject(found), f"metadata.annotations[{key}]", message)


def _usual(name: str) -> Object:
    """What the projects of manifests/argocd admit, for a repository without them."""
    spaced = [{"group": "", "kind": "ConfigMap"}, {"group": "external-secrets.io", "kind": "ExternalSecret"}]
    spec = {
        "destinations": [{"server": SERVER, "namespace": f"airflow-{name}"}],
        "clusterResourceWhitelist": [{"group": names.GROUP, "kind": TENANT, "name": name}],
        "namespaceResourceWhitelist": spaced,
    }
    return {"spec": spec}


def admitted(project: Object, found: Object) -> bool:
    """Whether an AppProject's lists admit an object; names are globs without `/`, as Go's path.Match has."""
    group = str(found.get("apiVersion")).rpartition("/")[0]
    namespace = str(metadata(found).get("namespace") or "")
    spec = project["spec"]
    if not namespace:
        return _listed(spec.get("clusterResourceWhitelist"), group, found) and not _listed(
            spec.get("clusterResourceBlacklist"), group, found
        )
    allowed = spec.get("namespaceResourceWhitelist")
    return any(
        target["server"] == SERVER and glob(target["namespace"], namespace) for target in spec["destinations"]
    ) and (allowed is None or _listed(allowed, group, found))


def _listed(listed: Iterable[Object] | None, group: str, found: Object) -> bool:
    return any(
        glob(entry["group"], group)
        and glob(entry["kind"], str(found.get("kind")))
        and ("name" not in entry or glob(entry["name"], str(metadata(found).get("name"))))
        for entry in listed or []
    )


def glob(pattern: str, text: str) -> bool:
    """Whether a text is what a project's pattern means."""
    return re.fullmatch(re.escape(pattern).replace(r"\*", "[^/]*"), text) is not None
