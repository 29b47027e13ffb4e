"""Pure decisions: what a tenant needs, given what is known. No I/O, clock or randomness."""
