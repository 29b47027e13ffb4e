from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from demo.state import project_root
from tenant_operator.core.errors import ConditionType, Reason

ROOT = project_root()
DOCS = ROOT / "docs"
FOLDERS = ("operator", "demo", "bench", "images", "devcluster", "dags/lib", "dags/lint")
PAGES = [
    *sorted(DOCS.rglob("*.md")),
    *sorted(ROOT.glob("*.md")),
    *(ROOT / folder / "README.md" for folder in FOLDERS),
    ROOT / "manifests" / "tenants" / "README.md",
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


def test_the_table_of_reasons_is_the_operators() -> None:
    text = (DOCS / "operations.md").read_text()
    table = text[text.index("| reason |") :].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == [reason.value for reason in Reason]


def test_every_condition_is_explained() -> None:
    text = (DOCS / "architecture.md").read_text() + (DOCS / "operations.md").read_text()
    assert [kind.value for kind in ConditionType if f"`{kind.value}" not in text] == []


PICTURES = sorted((DOCS / "images").glob("*.svg"))


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.stem)
def test_a_picture_is_well_formed_and_has_words_for_those_who_cannot_see_it(picture: Path) -> None:
    root = ElementTree.parse(picture).getroot()  # noqa: S314 - our own file
    names = [child.tag.rpartition("}")[2] for child in root]
    assert names[:2] == ["title", "desc"]
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "title desc"
    assert re.fullmatch(r"0 0 1280 \d+", root.get("viewBox", ""))
    assert len(root[1].text or "") > 100


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.stem)
def test_a_picture_is_readable_in_both_themes_and_loads_nothing(picture: Path) -> None:
    text = picture.read_text()
    light, _, dark = text.partition("@media (prefers-color-scheme: dark)")
    style, dark = light[light.index("<style>") :], dark[: dark.index("</style>")]
    coloured = {name for name in re.findall(r"\.(\w+) *\{[^}]*#[0-9a-f]{6}", style)} - {"numtext"}
    assert coloured <= set(re.findall(r"\.(\w+)", dark))
    assert re.findall(r"(?:fill|stroke)=\"#", text) == [], "colours are classes"
    assert re.findall(r"<(?:image|script|foreignObject)|@import|url\(http", text) == []


def test_every_decision_is_listed_under_its_title() -> None:
    titles = {page.name: page.read_text().splitlines()[0][2:] for page in (DOCS / "adr").glob("0*.md")}
    listed = re.findall(
        r"^\* \[(.+)\]\((\d{4}-.+\.md)\)$", (DOCS / "adr" / "README.md").read_text(), re.MULTILINE
    )
    assert [(titles[name], name) for name in sorted(titles)] == listed
