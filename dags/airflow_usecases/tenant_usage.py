"""Usage of a service by tenant and month, and what it costs them."""

from __future__ import annotations

import csv
import io
import logging
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypedDict

import yaml

log = logging.getLogger(__name__)

_LOG = """tenant,month,calls
acme,2026-09,900
acme,2026-10,1200
globex,2026-10,400
globex,2026-10,350
initech,2026-10,90
"""


class Usage(TypedDict):
    """The calls of one tenant in one month."""

    tenant: str
    month: str
    calls: int


class Invoice(TypedDict):
    """What one tenant owes for one month; `total` is a decimal number."""

    tenant: str
    month: str
    calls: int
    total: str
    currency: str


def month_before(run_date: str) -> str:
    """The month (YYYY-MM) before the one of a date (YYYY-MM-DD). Raises ValueError for what is no date."""
    return f"{date.fromisoformat(run_date).replace(day=1) - timedelta(days=1):%Y-%m}"


def read_usage(tenant: str, month: str, run_date: str = "") -> Usage:
    """Sum up one tenant's calls of a month (YYYY-MM); rows of other tenants are never returned.

    Without a month it is the one before `run_date` (YYYY-MM-DD). Raises ValueError when there is neither.
    """
    month = month or month_before(run_date)
    rows = csv.DictReader(io.StringIO(_LOG))
    calls = sum(int(row["calls"]) for row in rows if (row["tenant"], row["month"]) == (tenant, month))
    return {"tenant": tenant, "month": month, "calls": calls}


def price_usage(usage: Usage, price: str, currency: str) -> Invoice:
    """Price a month at `price` for each call."""
    total = (usage["calls"] * Decimal(price)).quantize(Decimal("0.01"))
    return {**usage, "total": str(total), "currency": currency}


def check_invoice(invoice: Invoice) -> Invoice:
    """Pass an invoice on. Raises ValueError for a total below 0."""
    if Decimal(invoice["total"]) < 0:
        raise ValueError(f"{invoice['tenant']} would get {invoice['total']} {invoice['currency']}")
    return invoice


def deliver_invoice(invoice: Invoice, tenant: str) -> str:
    """Deliver an invoice; returns its name. Raises ValueError when it is not the tenant's own."""
    if invoice["tenant"] != tenant:
        raise ValueError(f"an invoice of {invoice['tenant']} must not reach {tenant}")
    name = f"{tenant}/{invoice['month']}"
    log.info("delivered %s: %s %s", name, invoice["total"], invoice["currency"])
    return name


def tenants_of(definitions: Path) -> list[dict[str, Any]]:
    """The tenants of a definition file: its `vars.tenants`."""
    loaded: dict[str, Any] = yaml.safe_load(definitions.read_text(encoding="utf-8"))
    return [dict(tenant) for tenant in loaded["vars"]["tenants"]]
