"""What happens when a deadline is missed."""

from __future__ import annotations

from typing import Any


async def note_late(**_: Any) -> str:
    """Say so in the triggerer's log."""
    return "late"
