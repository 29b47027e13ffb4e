"""The documentation as a site: complete, whole, and of nobody else's servers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urldefrag, urlsplit

import pytest
import yaml
from tests.docs.built import ROOT, Site
from tools.docs_site import BORROWED

REPOSITORY = "https://github.com/your-org/airflow-tenants"
REVIEWED = Path(__file__).with_name("external_links.txt")


class _Loader(yaml.SafeLoader):
    """Reads mkdocs.yml; what only mkdocs understands is None."""


_Loader.add_multi_constructor("", lambda *_: None)


def nav() -> list[str]:
    def pages(entry: Any) -> list[str]:
        if isinstance(entry, str):
            return [entry]
        return [
            page for part in (entry if isinstance(entry, list) else entry.values()) for page in pages(part)
        ]

    return pages(yaml.load((ROOT / "mkdocs.yml").read_text(), _Loader)["nav"])  # noqa: S506 - a SafeLoader


def test_no_page_of_the_site_gives_a_warning(site: Site) -> None:
    assert "WARNING" not in site.log
    assert "Documentation built" in site.log


def test_every_page_is_in_the_navigation_once() -> None:
    written = [page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")]
    assert sorted(nav()) == sorted([*written, *BORROWED])


def test_every_link_and_anchor_leads_somewhere(site: Site) -> None:
    assert {path: broken for path, page in site.pages.items() if (broken := site.broken(page))} == {}


def test_every_link_into_the_repository_names_a_file_of_it(site: Site) -> None:
    links = {
        link
        for page in site.pages.values()
        for link in page.links
        if link.startswith(f"{REPOSITORY}/") and link != f"{REPOSITORY}/security/advisories/new"
    }
    found = {link: re.match(rf"{REPOSITORY}/(blob|tree|edit)/main/([^#]+)", link) for link in links}
    assert [link for link, match in found.items() if match is None] == []
    places = {link: (match[1], ROOT / match[2]) for link, match in found.items() if match}
    assert len(places) > 100
    assert [link for link, (kind, place) in places.items() if not _is(kind, place)] == []


def _is(kind: str, place: Path) -> bool:
    return place.is_dir() if kind == "tree" else place.is_file()


def test_links_out_of_docs_that_are_pages_of_the_site_stay_in_it(site: Site) -> None:
    links = {link for page in site.pages.values() for link in page.links}
    shown = {f"{REPOSITORY}/blob/main/{source}" for source in BORROWED.values()}
    assert shown & {urldefrag(link).url for link in links} == set()
    assert any(
        link.startswith("reference/chart-airflow-tenant.html") for link in site.pages["index.html"].links
    )


def test_the_pencil_leads_to_the_source_and_generated_pages_have_none(site: Site) -> None:
    def pencil(path: str) -> list[str]:
        return [link for link in site.pages[path].links if f"{REPOSITORY}/edit/" in link]

    assert pencil("operations.html") == [f"{REPOSITORY}/edit/main/docs/operations.md"]
    assert pencil("reference/chart-airflow-tenant.html") == [
        f"{REPOSITORY}/edit/main/charts/airflow-tenant/README.md"
    ]
    assert pencil("dag-lint.html") == []


def test_a_reader_s_browser_asks_nobody_else(site: Site) -> None:
    """No fonts, scripts or pictures of other servers, and nothing that makes the theme's script ask one."""
    fetched = {link for page in site.pages.values() for link in page.fetched}
    assert fetched, "pages load nothing at all"
    assert [
        link for link in fetched if urlsplit(link).scheme not in ("", "data") or link.startswith("//")
    ] == []
    styles = [file.read_text() for file in site.folder.rglob("*.css")]
    assert [url for style in styles for url in re.findall(r"url\(['\"]?(https?:|//)", style)] == []
    # the script asks api.github.com where it finds this component, and a CDN where it finds a diagram
    assert [path for path, page in site.pages.items() if "source" in page.components] == []
    assert [path for path, page in site.pages.items() if "mermaid" in page.classes] == []


def test_links_to_the_world_are_https_and_reviewed(site: Site) -> None:
    """The list says that somebody has looked: add a line to it for a link that you have opened."""
    links = {
        urldefrag(link).url
        for page in site.pages.values()
        for link in page.links
        if urlsplit(link).scheme and not link.startswith(REPOSITORY)
    }
    reviewed = REVIEWED.read_text().split()
    assert sorted(link for link in links if urlsplit(link).scheme != "https") == []
    assert sorted(links - set(reviewed)) == []
    assert sorted(set(reviewed) - links) == [], "nobody links there any more"
    assert reviewed == sorted(reviewed)


def test_every_picture_has_words_for_those_who_cannot_see_it(site: Site) -> None:
    pictures = [picture for page in site.pages.values() for picture in page.pictures]
    assert len(pictures) >= 4
    assert [picture["src"] for picture in pictures if len(picture.get("alt", "")) < 10] == []


def test_the_search_knows_alerts_reasons_and_commands(site: Site) -> None:
    index = json.loads((site.folder / "search" / "search_index.json").read_text())
    texts = " ".join(entry["title"] + " " + entry["text"] for entry in index["docs"])
    missing = [
        word for word in ("AirflowOperatorDown", "MigrationFailed", "rotate-fernet-key") if word not in texts
    ]
    assert missing == []


def test_the_search_works_without_a_server(site: Site) -> None:
    """From a folder a browser fetches no JSON and starts no worker: a script and a frame stand for them."""
    index = (site.folder / "search" / "search_index.json").read_text()
    assert (site.folder / "search" / "search_index.js").read_text() == f"var __index = {index}"
    shim = (site.folder / "assets" / "iframe-worker.js").read_text()
    assert 'location.protocol==="file:"&&(window.Worker=' in shim
    assert "Copyright (c) 2020-2022 Martin Donath" in shim
    without = [
        path
        for path, page in site.pages.items()
        if not any(link.endswith("assets/iframe-worker.js") for link in page.fetched)
    ]
    assert without == []


def test_pages_open_without_a_server(site: Site) -> None:
    """From a folder, a link to a folder shows a listing instead of a page."""
    links = {link for page in site.pages.values() for link in page.links}
    assert [link for link in links if not urlsplit(link).scheme and urlsplit(link).path.endswith("/")] == []


@pytest.mark.parametrize(
    ("link", "page", "wanted"),
    [
        pytest.param("operations.md#upgrade", "docs/README.md", "operations.md#upgrade", id="page"),
        pytest.param("../docs/operations.md", "charts/x.md", "operations.md", id="page-from-outside"),
        pytest.param("adr", "docs/README.md", "adr/README.md", id="folder-with-a-page"),
        pytest.param("../bench/README.md", "docs/logs.md", "reference/bench.md", id="borrowed-page"),
        pytest.param("../Makefile", "docs/logs.md", f"{REPOSITORY}/blob/main/Makefile", id="file"),
        pytest.param("../tests", "docs/logs.md", f"{REPOSITORY}/tree/main/tests", id="folder"),
        pytest.param("../nowhere.md", "docs/logs.md", "../nowhere.md", id="nowhere-is-left-to-mkdocs"),
        pytest.param("../../etc", "docs/logs.md", "../../etc", id="outside-of-the-repository"),
        pytest.param("#here", "docs/logs.md", "#here", id="anchor"),
        pytest.param("https://example.com/a", "docs/logs.md", "https://example.com/a", id="address"),
    ],
)
def test_a_link_of_the_repository_becomes_one_of_the_site(link: str, page: str, wanted: str) -> None:
    from tools.docs_site import Links

    links = Links(ROOT, REPOSITORY)
    links.places = {
        "docs/operations.md": "operations.md",
        "docs/adr/README.md": "adr/README.md",
        "bench/README.md": "reference/bench.md",
    }
    links.repository_path, links.page = page, "page.md"
    assert links.target(link) == wanted
