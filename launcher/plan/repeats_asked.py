"""Repeats asked: how many repeats of a point a line asks for, or by which rule."""

from collections.abc import Sequence

from launcher.config.errors import BadInputError
from launcher.config.hydra_plugins import MAX_POINTS, Point
from launcher.config.overrides import AUTO
from launcher.plan.auto_repeats import AutoRepeats
from launcher.plan.cluster import require_count


def rule_of(points: Sequence[Point]) -> AutoRepeats | None:
    """The rule of repeats=auto; None where repeats are counted.

    Raises:
        BadInputError: a key of the rule will not do, or one point has the rule and another not.
    """
    # What is nonsense is refused also where it has no effect.
    rule = AutoRepeats.of(points[0].config)
    require_count("repeats_most", rule.most, MAX_POINTS)
    asked = [point.config["repeats"] for point in points if point.repeat is None]
    by_rule = [repeats == AUTO for repeats in asked]
    if any(by_rule) and not all(by_rule):
        raise BadInputError(
            "`repeats` must be auto for all points or for none, as a round is a repeat of all, but "
            f"is {' and '.join(map(str, dict.fromkeys(asked)))}"
        )
    return rule if any(by_rule) else None


def repeats_asked(point: Point, auto: AutoRepeats | None) -> range:
    """The repeats of a point, by a rule at most.

    Raises:
        BadInputError: their number is none.
    """
    if point.repeat is not None:
        return range(point.repeat, point.repeat + 1)
    if auto is not None:
        return range(auto.most)
    repeats = point.config["repeats"]
    try:
        require_count("repeats", repeats)
    except BadInputError as error:
        raise BadInputError(str(error).replace(", but is ", f" or {AUTO}, but is ", 1)) from error
    return range(int(repeats))
