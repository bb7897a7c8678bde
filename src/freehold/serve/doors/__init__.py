"""Every door of the API, in the order of its documentation."""

from freehold.serve.door import Door
from freehold.serve.doors import bindings, machine, operations, packages, services, telemetry

DOORS: tuple[Door, ...] = (
    *services.DOORS,
    *bindings.DOORS,
    *telemetry.DOORS,
    *operations.DOORS,
    *packages.DOORS,
    *machine.DOORS,
)

__all__ = ["DOORS"]
