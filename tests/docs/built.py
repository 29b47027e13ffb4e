"""The built site as data: pages with their titles, anchors, links and pictures."""

from __future__ import annotations

import os
import posixpath
import subprocess
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from demo.state import project_root

ROOT = project_root()
#: What a browser fetches by itself, by element and attribute.
_FETCHED = {
    ("script", "src"),
    ("link", "href"),
    ("img", "src"),
    ("iframe", "src"),
    ("source", "src"),
    ("object", "data"),
}


@dataclass
class Html(HTMLParser):
    """One page."""

    path: str
    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    pictures: list[dict[str, str]] = field(default_factory=list)
    components: set[str] = field(default_factory=set)
    classes: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if values.get(name)}
        self.components |= {values["data-md-component"]} if "data-md-component" in values else set()
        self.classes |= set(values.get("class", "").split())
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
        if tag == "img":
            self.pictures.append(values)
        self.fetched += [
            values[name]
            for element, name in _FETCHED
            if element == tag and values.get(name) and values.get("rel") not in ("canonical", "next", "prev")
        ]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)


@dataclass(frozen=True)
class Site:
    """A built site."""

    folder: Path
    log: str
    pages: dict[str, Html]

    def broken(self, page: Html) -> list[str]:
        """Links of a page to files or anchors that are not there."""
        found = []
        for link in page.links + page.fetched:
            scheme, host, path, _, fragment = urlsplit(link)
            if scheme or host:
                continue
            # the page of what is not found may be shown at any depth: its links begin at the top
            base = "" if path.startswith("/") else posixpath.dirname(page.path)
            target = posixpath.normpath(posixpath.join(base, unquote(path).lstrip("/")))
            target = target if path else page.path
            there = (self.folder / target).is_file()
            if there and fragment and target in self.pages:
                there = unquote(fragment) in self.pages[target].anchors
            if not there:
                found.append(link)
        return found


def build(folder: Path) -> Site:
    """Build it as `make docs` does, into another folder; AssertionError with mkdocs' words when it fails."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("mkdocs")), "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    log = done.stdout + done.stderr
    assert done.returncode == 0, log
    pages = {}
    for file in sorted(folder.rglob("*.html")):
        path = file.relative_to(folder).as_posix()
        pages[path] = Html(path)
        pages[path].feed(file.read_text())
    return Site(folder, log, pages)
