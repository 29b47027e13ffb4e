"""Invoices out of order lines: quantity discounts, tax, rounding. Plain Python: testable without Airflow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import TypedDict

CENT = Decimal("0.01")
# from this quantity of one line on: share of its price that is taken off
DISCOUNTS = ((100, Decimal("0.10")), (10, Decimal("0.05")))
TAX = {"PT": Decimal("0.23"), "DE": Decimal("0.19"), "JP": Decimal("0.10")}


class Line(TypedDict):
    """A line of an order; money is text, since JSON has no decimal numbers."""

    customer: str
    country: str
    quantity: int
    unit_price: str


class Invoice(TypedDict):
    """What a customer pays."""

    net: str
    tax: str
    gross: str


class UnknownCountry(ValueError):
    """There is no tax rate for the country."""


def discount(quantity: int) -> Decimal:
    """The share that is taken off for a quantity. Raises ValueError below 1."""
    if quantity < 1:
        raise ValueError(f"quantity {quantity}")
    return next((share for least, share in DISCOUNTS if quantity >= least), Decimal(0))


def net_of(line: Line) -> Decimal:
    """A line's price without tax, in cents rounded half up."""
    price = Decimal(line["unit_price"]) * line["quantity"] * (1 - discount(line["quantity"]))
    return price.quantize(CENT, ROUND_HALF_UP)


def invoices(lines: Iterable[Line]) -> dict[str, Invoice]:
    """Customer -> invoice. The tax is of the sum, not of each line. Raises UnknownCountry, ValueError."""
    net: dict[str, Decimal] = {}
    countries: dict[str, str] = {}
    for line in lines:
        customer = line["customer"]
        if countries.setdefault(customer, line["country"]) != line["country"]:
            raise ValueError(f"{customer} is in two countries")
        net[customer] = net.get(customer, Decimal(0)) + net_of(line)
    return {customer: _invoice(amount, countries[customer]) for customer, amount in net.items()}


def total(of: Mapping[str, Invoice]) -> str:
    """The sum of what all customers pay."""
    return str(sum((Decimal(invoice["gross"]) for invoice in of.values()), Decimal("0.00")))


def _invoice(net: Decimal, country: str) -> Invoice:
    if country not in TAX:
        raise UnknownCountry(country)
    tax = (net * TAX[country]).quantize(CENT, ROUND_HALF_UP)
    return {"net": str(net), "tax": str(tax), "gross": str(net + tax)}
