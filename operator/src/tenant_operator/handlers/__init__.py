"""The kopf edge: the only package that imports kopf."""
