"""Price lists of a supplier: when a delivery is complete, and what is in it.

A delivery is `<name>.csv` (header `article,price`, one row per article) and `<name>.csv.rows`, a file that
holds the number of rows to come. The supplier writes the second one first.
"""

from __future__ import annotations

import csv
from pathlib import Path


def is_complete(folder: str, name: str) -> bool:
    """Whether all announced rows of a delivery have arrived. Raises ValueError when the number is not one."""
    announced = Path(folder, f"{name}.rows")
    delivered = Path(folder, name)
    if not announced.is_file() or not delivered.is_file():
        return False
    return count_rows(delivered) >= int(announced.read_text(encoding="utf-8"))


def count_rows(path: Path) -> int:
    """Rows of a CSV file below its header. Raises FileNotFoundError."""
    with path.open(newline="", encoding="utf-8") as file:
        return sum(1 for _ in csv.DictReader(file))
