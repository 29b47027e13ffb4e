"""The pricing step in OpenLineage's words."""

from __future__ import annotations

from airflow_usecases import lineage
from airflow_usecases.sales import ORDERS


def test_quality_counts_rejected_orders_apart():
    bad = {**ORDERS[0], "quantity": 0}
    assert lineage.quality([*ORDERS[:2], bad]) == {"rows": 2, "revenue": "288.80", "rejected": 1}
    assert lineage.quality([]) == {"rows": 0, "revenue": "0", "rejected": 0}


def test_each_written_column_is_derived_from_known_columns():
    assert set(lineage.DERIVED) == set(lineage.PRICED.columns)
    read = {column for columns in lineage.DERIVED.values() for column in columns}
    assert read <= set(lineage.RAW.columns)


def test_the_description_has_schema_column_lineage_and_the_custom_facet():
    described = lineage.describe({"rows": 2, "revenue": "288.80", "rejected": 1})
    [source], [target] = described.inputs, described.outputs
    assert (source.namespace, source.name) == ("s3://shop-raw", "orders/orders.csv")
    assert (target.namespace, target.name) == ("postgres://warehouse.shop:5432", "shop.public.orders_priced")
    fields = target.facets["columnLineage"].fields
    assert [field.field for field in fields["amount"].inputFields] == ["quantity", "unit_price"]
    facet = described.run_facets["shop_quality"]
    assert (facet.rows, facet.revenue, facet.rejected) == (2, "288.80", 1)
    assert facet._schemaURL.endswith("ShopQuality.json")
