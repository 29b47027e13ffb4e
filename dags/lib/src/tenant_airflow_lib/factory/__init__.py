"""DAGs from YAML: definitions with a schema, environments and inheritance (docs/dag-factory.md)."""

from __future__ import annotations

from tenant_airflow_lib.factory.load import Loaded, load_dags, read_definitions, render_template
from tenant_airflow_lib.factory.operators import Policy
from tenant_airflow_lib.factory.problems import CODES, DefinitionError, Problem

__all__ = [
    "CODES",
    "DefinitionError",
    "Loaded",
    "Policy",
    "Problem",
    "load_dags",
    "read_definitions",
    "render_template",
]
