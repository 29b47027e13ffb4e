"""What a tenant used, and what it owes."""

from __future__ import annotations

import pytest

from airflow_usecases import tenant_usage


@pytest.mark.parametrize(
    ("tenant", "month", "calls"), [("acme", "2026-09", 900), ("globex", "2026-10", 750), ("x", "2026-10", 0)]
)
def test_usage_is_that_of_one_tenant_and_month(tenant, month, calls):
    assert tenant_usage.read_usage(tenant, month) == {"tenant": tenant, "month": month, "calls": calls}


def test_an_invoice_below_0_is_refused():
    invoice = tenant_usage.price_usage({"tenant": "a", "month": "m", "calls": 3}, "-1", "EUR")
    with pytest.raises(ValueError, match=r"-3\.00"):
        tenant_usage.check_invoice(invoice)


def test_a_price_is_a_decimal_number_to_the_cent():
    usage = tenant_usage.read_usage("globex", "2026-10")
    assert tenant_usage.price_usage(usage, "0.0015", "EUR") == {
        **usage,
        "total": "1.12",  # 1.125 to the even cent
        "currency": "EUR",
    }


def test_an_invoice_reaches_its_own_tenant_only():
    invoice = tenant_usage.price_usage({"tenant": "a", "month": "2026-10", "calls": 3}, "1", "EUR")
    assert tenant_usage.deliver_invoice(tenant_usage.check_invoice(invoice), "a") == "a/2026-10"
    with pytest.raises(ValueError, match="an invoice of a must not reach b"):
        tenant_usage.deliver_invoice(invoice, "b")


def test_the_tenants_are_those_of_the_definition_file(tmp_path):
    file = tmp_path / "tenants.yaml"
    file.write_text("vars:\n  tenants: [{name: acme, price: '0.1'}, {name: globex}]\n")
    assert tenant_usage.tenants_of(file) == [{"name": "acme", "price": "0.1"}, {"name": "globex"}]
