"""The shop's data assets and what their producers write: names, addresses, figures for the events.

An asset's URI is a name that all DAGs share. Airflow never opens it; where an installation keeps the bytes is
told by the caller.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable
from typing import Any

from airflow_usecases.sales import Order, price_orders

# name -> URI; producers and consumers name an asset by the same two texts
URIS = {
    "orders_s3": "s3://shop-lake/orders/orders.csv",
    "orders_gcs": "gs://shop-mirror/orders/orders.csv",
    "orders_local": "file:///data/shop/orders.csv",
    "orders_table": "postgres://warehouse.shop:5432/shop/public/orders",
    "fx_rates": "https://rates.example.com/v1/latest",
    "orders_summary": "s3://shop-lake/orders/summary.json",
}
MODEL_ALIAS = "churn_models"
RATES = {"EUR": "0.92", "GBP": "0.79", "CHF": "0.88"}
_COLUMNS = ("order_id", "region", "quantity", "unit_price")


def orders_csv(orders: Iterable[Order]) -> bytes:
    """Orders as CSV with a header, UTF-8; the same orders give the same bytes."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(orders)
    return text.getvalue().encode()


def file_facts(content: bytes) -> dict[str, Any]:
    """What an event says about a file: `bytes`, `rows` (without the header), `sha256`."""
    rows = max(content.count(b"\n") - 1, 0)
    return {"bytes": len(content), "rows": rows, "sha256": hashlib.sha256(content).hexdigest()}


def table_facts(orders: Iterable[Order], day: str) -> dict[str, Any]:
    """What an event says about the table of orders: `day`, `rows`, `revenue`."""
    priced = price_orders(orders)
    return {"day": day, "rows": len(priced["amounts"]), "revenue": priced["revenue"]}


def rate_facts(currency: str) -> dict[str, str]:
    """What an event says about the rates: one currency. Raises KeyError for an unknown one."""
    return {"currency": currency, "rate": RATES[currency]}


def model_asset(version: int) -> tuple[str, str]:
    """Name and URI of one version of the churn model. Raises ValueError below 1."""
    if version < 1:
        raise ValueError(f"no model version {version}")
    return f"churn_model_v{version}", f"mlflow://models/churn/{version}"
