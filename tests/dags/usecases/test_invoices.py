"""Unit tests as they should be: no Airflow, no files, one reason to fail each."""

from __future__ import annotations

from decimal import Decimal

import pytest

from airflow_usecases import invoices


def line(customer="Ines", country="PT", quantity=1, unit_price="10.00"):
    return {"customer": customer, "country": country, "quantity": quantity, "unit_price": unit_price}


@pytest.mark.parametrize(
    ("quantity", "share"), [(1, "0"), (9, "0"), (10, "0.05"), (99, "0.05"), (100, "0.10"), (5000, "0.10")]
)
def test_the_discount_grows_with_the_quantity_of_a_line(quantity, share):
    assert invoices.discount(quantity) == Decimal(share)


@pytest.mark.parametrize("quantity", [0, -1])
def test_a_line_of_nothing_is_refused(quantity):
    with pytest.raises(ValueError, match=f"quantity {quantity}"):
        invoices.discount(quantity)


@pytest.mark.parametrize(("unit_price", "net"), [("0.005", "0.01"), ("0.0049", "0.00"), ("1.115", "1.12")])
def test_cents_are_rounded_half_up(unit_price, net):
    assert invoices.net_of(line(unit_price=unit_price)) == Decimal(net)


def test_the_tax_is_of_the_sum_of_a_customers_lines():
    # 23 % of 0.02 + 0.02 is 0.01; of each line alone it would be 0.00
    assert invoices.invoices([line(unit_price="0.02"), line(unit_price="0.02")]) == {
        "Ines": {"net": "0.04", "tax": "0.01", "gross": "0.05"}
    }


def test_each_customer_pays_the_tax_of_the_own_country():
    found = invoices.invoices([line(), line("Jonas", "DE"), line("Mei", "JP")])
    assert {name: invoice["tax"] for name, invoice in found.items()} == {
        "Ines": "2.30",
        "Jonas": "1.90",
        "Mei": "1.00",
    }
    assert invoices.total(found) == "35.20"


def test_no_lines_are_no_invoices_and_zero():
    assert invoices.invoices([]) == {}
    assert invoices.total({}) == "0.00"


def test_a_country_without_tax_rate_is_an_error():
    with pytest.raises(invoices.UnknownCountry, match="XX"):
        invoices.invoices([line(country="XX")])


def test_a_customer_is_in_one_country():
    with pytest.raises(ValueError, match="Ines is in two countries"):
        invoices.invoices([line(), line(country="DE")])
