"""Source registry: which sensor sources there are, and where each one's opener lies.

A source is one entry, `name = module:opener`, and is imported by the watcher that opens it alone:
what a launcher validates needs no sensor's library. The opener takes an `Assignment` and gives a
`Source`. Somebody else's package adds one under the entry point group `joulegrid.sources`.
"""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from telemetry.nearest import one_of

GROUP: Final = "joulegrid.sources"
"""Entry point group of sources that are installed beside this package."""

_OWN: Final[Mapping[str, str]] = {
    # Stands for a real GPU's best source, found on the node.
    "auto": "telemetry.watcher.select_source:open_auto",
    "dcgm": "telemetry.watcher.select_source:open_dcgm",
    "host": "telemetry.sources.host.source:HostSource",
    "nvml": "telemetry.watcher.select_source:open_nvml",
    "simulated": "telemetry.sources.simulated.source:SimulatedSource",
}

NVIDIA_SOURCES: Final = ("auto", "dcgm", "nvml")
"""Those of them that read a real GPU of NVIDIA's."""


def source_names() -> tuple[str, ...]:
    """Every source's name: this package's own, then those installed beside it, by name."""
    return (*sorted(_OWN), *sorted(_installed()))


def has_source(name: str) -> bool:
    """True when there is a source of that name."""
    # What is installed is looked for only for names that are not our own: it takes a walk of disks.
    return name in _OWN or name in _installed()


def load_opener(name: str) -> Any:
    """What opens the source `name` for an `Assignment`.

    Raises:
        ValueError: there is no such source.
        RuntimeError: its package cannot be imported.
    """
    if not has_source(name):
        raise ValueError(one_of("telemetry", source_names(), name, things="sources"))
    if name in _OWN:
        return EntryPoint(name=name, value=_OWN[name], group=GROUP).load()
    try:
        return _installed()[name].load()
    except (ImportError, AttributeError) as error:
        raise RuntimeError(
            f"source {name} must be importable as {_installed()[name].value}, but is not: {error}"
        ) from error


@cache
def _installed() -> Mapping[str, EntryPoint]:
    """What other packages have added; none of them takes one of our own names."""
    return {entry.name: entry for entry in entry_points(group=GROUP) if entry.name not in _OWN}
