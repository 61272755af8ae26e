"""Which source an order names."""

from telemetry.host import HostSource
from telemetry.order import SOURCES
from telemetry.simulated import SimulatedSource
from telemetry.source import Assignment, Source


def open_source(assignment: Assignment) -> Source:
    """The source that the assignment's order names, open.

    Raises:
        ValueError: there is no such source, or it does not fit the spec.
    """
    name = assignment.order.telemetry
    if name == "host":
        return HostSource(assignment)
    if name == "simulated":
        return SimulatedSource(assignment)
    raise ValueError(f"`telemetry` must be one of {', '.join(SOURCES)}, but is {name!r} instead")
