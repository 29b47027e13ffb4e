"""A real one-node Kubernetes for a machine without Docker."""
