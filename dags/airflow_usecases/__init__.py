"""The logic of the library's DAGs, importable and tested without a run."""
