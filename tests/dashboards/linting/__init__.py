"""Rules that every dashboard keeps: those of grafana/dashboard-linter, and the house's own."""
