"""Axes: what may differ between two sides on purpose, and what makes the sides."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from analysis.compare.machine import center_of, drivers_of
from analysis.runs.campaign import campaign_of
from analysis.runs.sealed_runs import Run
from analysis.tables.point import engine_order, format_order, point_key
from telemetry.command import CommandError
from telemetry.nearest import one_of
from telemetry.record.differing import field_value, short_text

FOLDER: Final = "folder"
CAMPAIGN: Final = "campaign"
CENTER: Final = "center"
DRIVER: Final = "driver"
_NOT_ON_RECORD: Final = "not on record"
# How ranks are spread over nodes follows from the board and from their number.
_FREE: Final = {
    FOLDER: (),
    CAMPAIGN: (),
    CENTER: (),
    DRIVER: (),
    "engine": ("engine",),
    "gpu": ("gpu", "gpus_per_node"),
    "gpus": ("gpus", "gpus_per_node"),
    "gpus_per_node": ("gpus_per_node",),
    "power_cap_w": ("power_cap_w",),
    "sm_clock_mhz": ("sm_clock_mhz",),
    "memory_clock_mhz": ("memory_clock_mhz",),
    "dtype": ("dtype",),
    "quantization": ("quantization",),
    "batch_size": ("batch_size",),
}
AXES: Final = tuple(_FREE)
"""What `--by` may name."""
SEVERAL: Final = 2
"""Sides that make a comparison, at least."""


@dataclass(frozen=True, kw_only=True)
class Axes:
    """What differs between the sides on purpose."""

    names: tuple[str, ...]
    """Of `AXES`; how several folders differ where nothing is said: in their boards."""
    given: bool
    """False where nobody named them."""

    @classmethod
    def read(cls, given: str | None) -> "Axes":
        """What `--by` names, apart by commas.

        Raises:
            CommandError: there is no such axis.
        """
        if given is None:
            return cls(names=("gpu",), given=False)
        names = tuple(dict.fromkeys(given.split(",")))
        for name in names:
            if name not in AXES:
                raise CommandError(one_of("--by", AXES, name, things="axes"))
        return cls(names=names, given=True)

    @property
    def free(self) -> tuple[str, ...]:
        """Fields of the spec in which runs of one cell may differ."""
        return tuple(dict.fromkeys(field for name in self.names for field in _FREE[name]))

    def values(self, run: Run) -> tuple[str, ...]:
        """What a run of a single folder is told apart by, a word an axis."""
        return tuple(self._value(run, name) for name in self.names)

    @staticmethod
    def _value(run: Run, name: str) -> str:
        if name == FOLDER:
            return run.paths.results.name
        if name == CAMPAIGN:
            return campaign_of(run) or _NOT_ON_RECORD
        if name == CENTER:
            return center_of(run) or _NOT_ON_RECORD
        if name == DRIVER:
            return ", ".join(sorted(drivers_of(run))) or _NOT_ON_RECORD
        return short_text(field_value(run.spec.to_mapping(), name))

    def order(self, run: Run) -> tuple[object, ...]:
        """Sorts the sides of a single folder: the first is what the others are held against."""
        return tuple(self._place(run, name) for name in self.names)

    def _place(self, run: Run, name: str) -> tuple[object, ...]:
        if name == "engine":
            return engine_order(run.spec.engine)
        if name == "dtype":
            return format_order("none", run.spec.dtype)
        if name == "quantization":
            return format_order(run.spec.quantization, "fp32")
        of_spec = hasattr(run.spec, name)
        value = getattr(run.spec, name) if of_spec else self._value(run, name)
        return value is not None, 0 if value is None else value


def axes_of(runs: Sequence[Run]) -> Iterable[str]:
    """The axes along which runs of one folder do the same work on two sides."""
    for name in AXES:
        axes = Axes(names=(name,), given=True)
        found: dict[str, set[tuple[str, ...]]] = {}
        for run in runs:
            found.setdefault(point_key(run, axes.free), set()).add(axes.values(run))
        if name != FOLDER and any(len(values) >= SEVERAL for values in found.values()):
            yield name
