"""Hooks of mkdocs: pages of other folders join the site, and links out of it lead to the repository.

docs/ is written for a Git host, where a link such as ../charts/... leads to a file of the repository.
https://www.mkdocs.org/user-guide/configuration/#hooks
"""

from __future__ import annotations

import posixpath
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from xml.etree.ElementTree import Element

from markdown import Extension, Markdown
from markdown.treeprocessors import Treeprocessor
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

#: Page of the site -> file of the repository.
BORROWED = {
    "reference/bench.md": "bench/README.md",
    "reference/changelog.md": "CHANGELOG.md",
    "reference/chart-airflow-tenant.md": "charts/airflow-tenant/README.md",
    "reference/chart-tenant-operator.md": "charts/tenant-operator/README.md",
    "reference/contributing.md": "CONTRIBUTING.md",
    "reference/dag-lint-command.md": "dags/lint/README.md",
    "reference/demo.md": "demo/README.md",
    "reference/images.md": "images/README.md",
    "reference/operator.md": "operator/README.md",
    "reference/tenant-airflow-lib.md": "dags/lib/README.md",
}
#: Files that a generator writes: nobody edits them in place.
GENERATED = ("docs/dag-lint.md", "docs/dags.md", "docs/bad-input.md")


class Links(Treeprocessor):
    """Makes links of the repository right in the site; what leads nowhere is left to mkdocs to tell."""

    def __init__(self, root: Path, web: str) -> None:
        """`root`: the repository's folder; `web`: its address, without a slash at the end."""
        super().__init__()
        self.root = root
        self.web = web
        self.places: dict[str, str] = {}  # path in the repository -> path in the site
        self.repository_path = ""
        self.page = ""

    def run(self, root: Element) -> None:
        """See Treeprocessor."""
        for element in root.iter():
            for name in ("href", "src"):
                link = element.get(name)
                if link:
                    element.set(name, self.target(link))

    def target(self, link: str) -> str:
        """The link as the present page of the site needs it."""
        scheme, host, path, query, fragment = urlsplit(link)
        if scheme or host or not path or path.startswith("/"):
            return link
        wanted = posixpath.normpath(posixpath.join(posixpath.dirname(self.repository_path), path))
        place = self.places.get(wanted) or self.places.get(f"{wanted}/README.md")
        if place:
            path = posixpath.relpath(place, posixpath.dirname(self.page) or ".")
            return urlunsplit(("", "", path, query, fragment))
        if wanted.startswith("..") or not (self.root / wanted).exists():
            return link
        kind = "tree" if (self.root / wanted).is_dir() else "blob"
        return urlunsplit(("", "", f"{self.web}/{kind}/main/{wanted}", query, fragment))


class Pipes(Treeprocessor):
    r"""In a table's cell `\|` is a `|`, in code as well; Markdown's own tables leave the backslash in code.

    https://github.github.com/gfm/#tables-extension-
    """

    def run(self, root: Element) -> None:
        """See Treeprocessor."""
        for cell in (*root.iter("td"), *root.iter("th")):
            cell.text = (cell.text or "").replace(r"\|", "|")


class LikeAGitHost(Extension):
    """Registers the tree processors."""

    def __init__(self, links: Links | None = None) -> None:
        """`links`: one processor for all pages; the hooks tell it which page it works on."""
        super().__init__()
        self.links = links

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 - the name is Markdown's
        """Pipes before the inline patterns (20); links after them, and before mkdocs checks links (0)."""
        md.treeprocessors.register(Pipes(), "pipes", 25)
        if self.links is not None:
            md.treeprocessors.register(self.links, "repository-links", 4)


_links: list[Links] = []


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Hang the processor into Markdown."""
    links = Links(Path(config.config_file_path).parent, (config.repo_url or "").rstrip("/"))
    _links[:] = [links]
    extensions: list[Any] = config.markdown_extensions  # names, says its type; instances are taken, too
    extensions.append(LikeAGitHost(links))
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the borrowed pages, and tell each file's place in the repository."""
    links = _links[0]
    for place, source in BORROWED.items():
        file = File.generated(config, place, abs_src_path=str(links.root / source))
        file.edit_uri = source
        files.append(file)
        links.places[source] = place
    for file in files:
        if file.src_uri in BORROWED or file.src_dir is None or file.inclusion is InclusionLevel.EXCLUDED:
            continue
        source = f"docs/{file.src_uri}"
        links.places[source] = file.src_uri
        file.edit_uri = None if source in GENERATED else source
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Tell the processor which page comes next."""
    del config, files
    _links[0].page = page.file.src_uri
    _links[0].repository_path = BORROWED.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    return markdown
