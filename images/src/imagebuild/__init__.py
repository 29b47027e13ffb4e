"""OCI images without Docker, a daemon or a registry."""
