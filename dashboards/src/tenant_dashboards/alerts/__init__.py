"""The alerts: definitions by area, priorities, inhibition, and the rule files made of them."""
