"""docs/ reads on a Git host as it does on the site: two readers of Markdown see the same parts."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import markdown
import pytest
from markdown_it import MarkdownIt
from tests.docs.built import ROOT
from tools.docs_site import LikeAGitHost

PAGES = sorted((ROOT / "docs").rglob("*.md"))
EXTENSIONS = ["abbr", "attr_list", "md_in_html", "tables", "toc", "pymdownx.superfences", LikeAGitHost()]
COUNTED = (
    "h1",
    "h2",
    "h3",
    "h4",
    "li",
    "ul",
    "ol",
    "table",
    "tr",
    "td",
    "th",
    "pre",
    "blockquote",
    "a",
    "img",
    "strong",
)


class Parts(HTMLParser):
    """How many of which elements, and all words outside of code blocks."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self.words: list[str] = []
        self._code = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counts[tag] += tag in COUNTED
        self._code += tag == "pre"

    def handle_endtag(self, tag: str) -> None:
        self._code -= tag == "pre"

    def handle_data(self, data: str) -> None:
        if not self._code:
            self.words += data.split()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_git_host_and_the_site_show_the_same_parts(page: Path) -> None:
    text = page.read_text()
    there = Parts(MarkdownIt("commonmark").enable("table").render(text))
    here = Parts(markdown.markdown(text, extensions=EXTENSIONS))
    assert +here.counts == +there.counts
    assert "".join(here.words) == "".join(there.words)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_has_one_title_and_no_level_is_left_out(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    levels = [len(mark) for mark in re.findall(r"^(#+) ", text, re.MULTILINE)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert [(one, two) for one, two in pairwise(levels) if two > one + 1] == []
