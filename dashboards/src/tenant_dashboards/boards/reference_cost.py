"""The reference platform's list prices (docs/data/cost.yaml) as a panel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tenant_dashboards.panels.model import Kind, Panel

DATA = Path(__file__).resolve().parents[4] / "docs/data/cost.yaml"


def load(path: Path = DATA) -> dict[str, Any]:
    """The table; raises ValueError when its total is not the sum of its items."""
    table: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    items = round(sum(item["cost"] for item in table["items"]), 2)
    if items != table["total"]:
        msg = f"{path.name}: the items add up to {items}, the total says {table['total']}"
        raise ValueError(msg)
    return table


def panel() -> Panel:
    """A Markdown table, the dearest first."""
    table = load()
    items = sorted(table["items"], key=lambda item: -item["cost"])
    lines = [f"| {item['item']} | {item['basis']} | {item['cost']:,.2f} |" for item in items]
    head = [f"| Item | Basis | {table['currency']} a {table['period']} |", "|---|---|---:|"]
    total = f"| **Total** | {table['region']} | **{table['total']:,.2f}** |"
    return Panel(
        "Reference platform on AWS",
        Kind.TEXT,
        "List prices of what a platform on AWS has besides the tenants' pods. Compare with your own bill; "
        "the tenants' share is in the panels above.",
        content="\n".join([*head, *lines, total]),
        width=12,
        height=16,
    )
