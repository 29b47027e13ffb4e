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


def test_the_picture_is_well_formed_and_has_words_for_those_who_cannot_see_it() -> None:
    root = ElementTree.parse(DOCS / "images" / "flow.svg").getroot()  # noqa: S314 - our own file
    names = [child.tag.rpartition("}")[2] for child in root]
    assert names[:2] == ["title", "desc"]
    assert root.get("viewBox") == "0 0 1280 700"
