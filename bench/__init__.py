"""Measurements of the operator, side by side with what else a user could take."""
