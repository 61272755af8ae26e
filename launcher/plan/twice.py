"""Twice: points of a grid that are the same run: kept once, told, and refused where they differ."""

from collections.abc import Sequence

from launcher.config.errors import BadInputError
from launcher.plan.grid import PlannedPoint
from telemetry.record.differing import MEASUREMENT_FIELDS, differing, told


def require_same_measurement(kept: PlannedPoint, other: PlannedPoint) -> None:
    """Refuse two points of one run that would be measured, or run, in two ways.

    Raises:
        BadInputError: one of them would be dropped in silence.
    """
    one, two = dict(kept.launch.to_mapping()), dict(other.launch.to_mapping())
    names = differing([one, two], MEASUREMENT_FIELDS)
    if names:
        raise BadInputError(
            f"`{names[0]}` must be one value for all points of the same work, as a run is "
            f"measured once, but {kept.spec.run_id} is asked for with {told(one, names)} and with "
            f"{told(two, names)}"
        )
    if kept.cluster != other.cluster:
        raise BadInputError(
            f"`cluster` must be one for all points of the same work, but {kept.spec.run_id} is "
            f"asked of {kept.cluster.name} ({_words(kept)}) and of {other.cluster.name} "
            f"({_words(other)}), which differ"
        )


def twice_notes(again: Sequence[tuple[PlannedPoint, PlannedPoint]]) -> tuple[str, ...]:
    """What the plan says of points that were given more than once; nothing where none were."""
    if not again:
        return ()
    kept, other = again[0]
    count = f"{len(again)} point{'s are' if len(again) > 1 else ' is'}"
    first = f"{_words(other)} is {_words(kept)}"
    return (f"{count} given more than once and kept once, such as {first}",)


def _words(point: PlannedPoint) -> str:
    return " ".join(point.overrides) or "the default"
