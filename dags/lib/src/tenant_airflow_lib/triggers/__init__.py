"""Triggers: one for each sensor, and one for the operator that waits."""
