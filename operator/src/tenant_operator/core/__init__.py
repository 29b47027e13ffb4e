"""Names, errors, ports and settings that every layer may use."""
