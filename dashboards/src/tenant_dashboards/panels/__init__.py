"""The layer between boards and grafana-foundation-sdk: a small model, a computed layout, one encoder."""
