"""Positions of addresses: from a geocoding service behind a circuit breaker, or from the postcode."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from airflow_usecases.circuit_breaker import Breaker
from airflow_usecases.remote_errors import TransientError


class Address(TypedDict):
    """Where a customer wants a delivery."""

    customer: str
    street: str
    postcode: str


class Position(TypedDict):
    """Degrees (WGS 84); `approximate` when it is only the middle of the postcode's area."""

    latitude: float
    longitude: float
    approximate: bool


@dataclass
class Located:
    """What a batch came to: positions by customer, and the customers whose address was not located."""

    positions: dict[str, Position] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    calls: int = 0


ADDRESSES: tuple[Address, ...] = (
    {"customer": "C-1", "street": "Lindenweg 4", "postcode": "3007"},
    {"customer": "C-2", "street": "Marktgasse 12", "postcode": "3011"},
    {"customer": "C-3", "street": "Seestrasse 88", "postcode": "8002"},
    {"customer": "C-4", "street": "Bahnhofplatz 1", "postcode": "8001"},
    {"customer": "C-5", "street": "Rue du Port 9", "postcode": "1204"},
)
_AREAS: Mapping[str, tuple[float, float]] = {
    "1": (46.20, 6.15),
    "3": (46.95, 7.45),
    "8": (47.37, 8.54),
}


def locate(addresses: Sequence[Address], ask: Callable[[Address], Position], breaker: Breaker) -> Located:
    """Ask the service for each address for which the breaker allows a call.

    `ask` raises TransientError when the service fails; the breaker counts it and the address is missing.
    Every other error of `ask` is not the service being down, and is raised.
    """
    located = Located()
    for address in addresses:
        if not breaker.allows_call():
            located.missing.append(address["customer"])
            continue
        located.calls += 1
        try:
            located.positions[address["customer"]] = ask(address)
        except TransientError:
            breaker.failed()
            located.missing.append(address["customer"])
        else:
            breaker.succeeded()
    return located


def position_of_area(postcode: str) -> Position:
    """The middle of a postcode's area. Raises KeyError for an area that is not served."""
    latitude, longitude = _AREAS[postcode[:1]]
    return {"latitude": latitude, "longitude": longitude, "approximate": True}


def estimate(addresses: Iterable[Address], customers: Iterable[str]) -> dict[str, Position]:
    """The middle of the postcode's area for each of these customers. Raises KeyError for an unknown one."""
    postcodes = {address["customer"]: address["postcode"] for address in addresses}
    return {customer: position_of_area(postcodes[customer]) for customer in customers}


def save(file: Path, positions: Mapping[str, Position]) -> str:
    """Write positions as JSON and return the path; a file that is there is replaced as a whole."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps(positions, sort_keys=True), encoding="utf-8")
    partial.replace(file)
    return str(file)


def load(path: str) -> dict[str, Position]:
    """The positions that `save` wrote."""
    positions: dict[str, Position] = json.loads(Path(path).read_text(encoding="utf-8"))
    return positions
