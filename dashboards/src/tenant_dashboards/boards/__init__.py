"""The six boards. Each module has `build(flavour) -> Board`."""

from __future__ import annotations

from tenant_dashboards.boards import capacity, cost, operator, overview, slo, team
from tenant_dashboards.boards.parts import TEAM_SLUGS, Flavour
from tenant_dashboards.panels.model import Board

_MODULES = (overview, team, slo, capacity, cost, operator)  # in the order of the links


def boards(flavour: Flavour) -> tuple[Board, ...]:
    """Every board of a flavour: six for the platform, four for a team."""
    made = tuple(module.build(flavour) for module in _MODULES)
    return made if flavour is Flavour.PLATFORM else tuple(b for b in made if b.slug in TEAM_SLUGS)
