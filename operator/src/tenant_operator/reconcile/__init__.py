"""The level-triggered loop: events in, one idempotent pass per tenant, conditions out."""
