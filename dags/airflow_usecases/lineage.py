"""What the pricing step reads and writes, described once and without OpenLineage; and then in its classes.

Names follow OpenLineage's naming of datasets: namespace `s3://<bucket>`, name the key; namespace
`postgres://<host>:<port>`, name `<database>.<schema>.<table>`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from airflow_usecases.sales import Order, amount

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage


@dataclass(frozen=True)
class Table:
    """A dataset with its columns, name -> type."""

    namespace: str
    name: str
    columns: Mapping[str, str]


RAW = Table(
    "s3://shop-raw",
    "orders/orders.csv",
    {"order_id": "integer", "region": "string", "quantity": "integer", "unit_price": "decimal"},
)
PRICED = Table(
    "postgres://warehouse.shop:5432",
    "shop.public.orders_priced",
    {"order_id": "integer", "region": "string", "amount": "decimal"},
)
# column written -> columns read
DERIVED = {"order_id": ("order_id",), "region": ("region",), "amount": ("quantity", "unit_price")}


def quality(orders: Iterable[Order]) -> dict[str, Any]:
    """The figures of the custom facet: `rows`, `revenue`, `rejected` (orders without a quantity)."""
    given = list(orders)
    good = [order for order in given if order["quantity"] > 0]
    revenue = sum((amount(order) for order in good), Decimal(0))
    return {"rows": len(good), "revenue": str(revenue), "rejected": len(given) - len(good)}


def describe(figures: Mapping[str, Any]) -> OperatorLineage[Any, Any]:
    """Inputs, outputs, column lineage and the custom facet `shop_quality`, as OpenLineage's classes.

    Its provider is imported here: a DAG must parse, and a helper be tested, without it.
    """
    import attrs
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import Dataset
    from openlineage.client.facet_v2 import RunFacet, column_lineage_dataset, schema_dataset

    @attrs.define
    class ShopQuality(RunFacet):
        rows: int
        revenue: str
        rejected: int

        @staticmethod
        def _get_schema() -> str:
            return "https://shop.example.com/schemas/openlineage/1-0-0/ShopQuality.json"

    def schema(table: Table) -> Any:
        fields = [
            schema_dataset.SchemaDatasetFacetFields(name=name, type=kind)
            for name, kind in table.columns.items()
        ]
        return schema_dataset.SchemaDatasetFacet(fields=fields)

    columns = {
        written: column_lineage_dataset.Fields(
            inputFields=[
                column_lineage_dataset.InputField(namespace=RAW.namespace, name=RAW.name, field=read)
                for read in reads
            ]
        )
        for written, reads in DERIVED.items()
    }
    output_facets = {
        "schema": schema(PRICED),
        "columnLineage": column_lineage_dataset.ColumnLineageDatasetFacet(fields=columns),
    }
    return OperatorLineage(
        inputs=[Dataset(namespace=RAW.namespace, name=RAW.name, facets={"schema": schema(RAW)})],
        outputs=[Dataset(namespace=PRICED.namespace, name=PRICED.name, facets=output_facets)],
        run_facets={"shop_quality": ShopQuality(**figures)},
    )
