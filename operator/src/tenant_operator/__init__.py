"""Kubernetes operator for AirflowTenant resources."""
