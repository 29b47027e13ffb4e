"""The AirflowTenant resource as pydantic models, and the CRD made from them."""
