"""The arithmetic of a settlement, in cents."""

from __future__ import annotations

import zlib
from typing import TypedDict

FEE_PER_MILLE = 14


class Settlement(TypedDict):
    """What one merchant gets for one day."""

    merchant: str
    gross: int
    fee: int
    net: int


def settle(merchant: str, day: str) -> Settlement:
    """Return the merchant's settlement; the same merchant and day always give the same amounts."""
    gross = 10_000 + zlib.crc32(f"{merchant} {day}".encode()) % 90_000
    fee = gross * FEE_PER_MILLE // 1000
    return Settlement(merchant=merchant, gross=gross, fee=fee, net=gross - fee)
