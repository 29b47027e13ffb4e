"""Tools around manifests/: check them, begin a tenant, show what a change does."""
