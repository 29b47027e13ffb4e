"""What the two stages of the split pipeline do with file names."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor


def normalise(name: str) -> str:
    """A file name in upper case, as the target system wants it. Raises ValueError for an empty one."""
    if not name.strip():
        raise ValueError("empty file name")
    return name.strip().upper()


def checksum(name: str) -> str:
    """The first 12 hex digits of the SHA-256 of a name."""
    return hashlib.sha256(name.encode()).hexdigest()[:12]


def checksums(names: Sequence[str], threads: int) -> dict[str, str]:
    """`checksum` of each name, computed by at most `threads` threads at a time; in the order of `names`.

    Raises what a thread raised.
    """
    with ThreadPoolExecutor(max_workers=threads) as pool:
        return dict(zip(names, pool.map(checksum, names), strict=True))


def mismatches(names: Iterable[str], expected: Mapping[str, str]) -> list[str]:
    """The names without a checksum, or with a wrong one."""
    return [name for name in names if expected.get(name) != checksum(name)]
