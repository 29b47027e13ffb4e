"""Objects between clouds: a table as bytes, and fingerprints by which two stores are compared."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypedDict

CHUNK = 1024 * 1024  # bytes


class Fingerprint(TypedDict):
    """An object's size in bytes and its SHA-256."""

    bytes: int
    sha256: str


class CopyDiffers(ValueError):
    """A copy is not the same bytes as its source."""


class Readable(Protocol):
    """What is needed of an open file or a response body."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; none at the end."""


def as_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """Rows as CSV with a header, UTF-8, lines end with a line feed: the same rows are the same bytes."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode()


def chunks(source: Readable) -> Iterator[bytes]:
    """A stream in pieces of CHUNK bytes, so that an object of any size needs little memory."""
    while piece := source.read(CHUNK):
        yield piece


def fingerprint(pieces: Iterable[bytes]) -> Fingerprint:
    """Of an object that is read in pieces."""
    size, digest = 0, hashlib.sha256()
    for piece in pieces:
        size += len(piece)
        digest.update(piece)
    return {"bytes": size, "sha256": digest.hexdigest()}


def require_same(found: Mapping[str, Fingerprint]) -> Fingerprint:
    """The fingerprint that all stores have. Raises CopyDiffers naming those that differ from the first."""
    first, *others = found.items()
    different = [name for name, value in others if value != first[1]]
    if different:
        raise CopyDiffers(f"not the same bytes as {first[0]}: {', '.join(different)}")
    return first[1]
