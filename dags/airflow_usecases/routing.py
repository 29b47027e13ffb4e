"""How a parcel travels: the decisions of the branching DAG, as plain functions."""

from __future__ import annotations

from decimal import Decimal

EXPRESS_FROM = Decimal("100.00")
INSURED_FROM = Decimal("500.00")
HOME = "AT"


def carrier(value: str) -> str:
    """`ship_express` for orders worth `EXPRESS_FROM` euros or more, otherwise `ship_standard`."""
    return "ship_express" if Decimal(value) >= EXPRESS_FROM else "ship_standard"


def papers(value: str, country: str) -> list[str]:
    """The papers that a parcel needs, if any: customs abroad, insurance from `INSURED_FROM` euros on."""
    needed = []
    if country != HOME:
        needed.append("print_customs_form")
    if Decimal(value) >= INSURED_FROM:
        needed.append("insure_parcel")
    return needed
