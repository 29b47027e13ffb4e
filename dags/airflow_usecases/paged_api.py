"""Read an HTTP API page by page into one file per day."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypedDict

MOST_PAGES = 1000


class Ingested(TypedDict):
    """The file of the day, and how many rows and pages are in it."""

    path: str
    rows: int
    pages: int


def pages(fetch: Callable[[int], dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The `items` of page 1, 2, ... until `next_page` is null.

    Raises RuntimeError after 1,000 pages, and when the next page is not the following one: such an API would
    be read for ever.
    """
    page: int | None = 1
    while page is not None:
        if page > MOST_PAGES:
            raise RuntimeError(f"more than {MOST_PAGES} pages")
        answer = fetch(page)
        yield answer["items"]
        following = answer["next_page"]
        if following is not None and following != page + 1:
            raise RuntimeError(f"page {page} is followed by page {following}")
        page = following


def ingest(fetch: Callable[[int], dict[str, Any]], file: Path) -> Ingested:
    """Write all items to `file` as JSON lines; an existing file is replaced when the last page has come."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    rows = count = 0
    with partial.open("w", encoding="utf-8") as lines:
        for items in pages(fetch):
            count += 1
            rows += len(items)
            lines.writelines(json.dumps(item, sort_keys=True) + "\n" for item in items)
    partial.replace(file)
    return {"path": str(file), "rows": rows, "pages": count}
