"""Static evaluation of a DAG file: which DAGs, tasks, groups and edges it makes, as far as the text tells."""

from dag_lint.interp.statements import evaluate

__all__ = ["evaluate"]
