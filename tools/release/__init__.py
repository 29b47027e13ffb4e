"""The steps of a release, each of which runs on any machine: see docs/releasing.md."""
