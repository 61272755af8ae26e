"""Matching: which points of ours stand beside a number of the paper, and why none does."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product
from typing import Final

from analysis.paper.amount import Amount, mean_of
from analysis.paper.point import AVERAGED, PAPER_DTYPE, GridPoint, board_name
from analysis.paper.published import Published, paper_conditions
from analysis.tables.point import PAPER_ENGINE, RANDOM

Parts = tuple[tuple[GridPoint, ...], ...]
"""For each data set and length that a number is over, points of ours."""
_FEWEST_FIRST: Final = ("prompts", "temperature", "top_p")


def parts_of(number: Published) -> tuple[tuple[str, int], ...]:
    """Each data set and length that a number is over."""
    return tuple(product(number.datasets, number.max_gen_lens))


def of_its_work(number: Published, points: Iterable[GridPoint]) -> Parts:
    """For each part the points that did the same work: on any board and number of GPUs."""
    told = [
        point
        for point in points
        if point["model"] == number.model and point["batch_size"] == number.batch_size
    ]
    return tuple(
        tuple(
            point for point in told if kin(point.corpus, dataset) and point["max_gen_len"] == length
        )
        for dataset, length in parts_of(number)
    )


def on_gpus(parts: Parts, gpus: int) -> Parts:
    """Of each part the points on so many GPUs."""
    return only(parts, lambda point: point["gpus"] == gpus)


def only(parts: Parts, wanted: Callable[[GridPoint], bool]) -> Parts:
    """Of each part the points that are wanted."""
    return tuple(tuple(point for point in found if wanted(point)) for found in parts)


def chosen(number: Published, parts: Parts) -> tuple[GridPoint, ...] | None:
    """One point a part, the same in all that the paper does not average over.

    Of several the one most like the paper's; None when no point is in every part.
    """
    if not parts or not all(parts):
        return None
    for first in sorted(parts[0], key=lambda point: _distance(number, point)):
        alike = [[other for other in found if other.same(first, AVERAGED)] for found in parts[1:]]
        if all(alike):
            return (first, *(found[0] for found in alike))
    return None


def value_of(
    number: Published, points: Sequence[GridPoint], parts: Parts, metric: str
) -> Amount | str:
    """The number as our points have it, a mean over the parts, or why it is not known."""
    amounts = []
    for point, found in zip(points, parts, strict=True):
        amount = Amount.of(point.row, metric)
        if amount is None:
            return f"{metric} is not known of {point.runs_text}"
        if number.against_power_cap_w is not None:
            base = _base(number, point, found)
            against = None if base is None else Amount.of(base.row, metric)
            if against is None or not against.value:
                cap = f"{number.against_power_cap_w:g} W"
                return f"no run that is the same under the {cap} cap it is held against"
            amount = amount.change_against(against)
        amounts.append(amount)
    return mean_of(amounts)


def _base(number: Published, point: GridPoint, found: Sequence[GridPoint]) -> GridPoint | None:
    """The same point under the cap that a change is told against."""
    cap = number.against_power_cap_w
    return next(
        (
            other
            for other in found
            if cap is not None
            and other.capped_at(cap)
            and other.as_asked == point.as_asked
            and other.same(point, ("power_cap_w",))
        ),
        None,
    )


def why_none(number: Published, points: Sequence[GridPoint], engine: str = PAPER_ENGINE) -> str:
    """The first of the paper's conditions that no point of ours meets, and the nearest run."""
    if not points:
        return "no sealed run"
    for dataset, length in parts_of(number):
        left = list(points)
        for says, met in _conditions(number, dataset, length, engine):
            fitting = [point for point in left if met(point)]
            if not fitting:
                return f"{says}; {_nearest(number, points, dataset, length, engine)}"
            left = fitting
    return "no point of ours is the same in all the cells that the paper averages"


def _conditions(
    number: Published, dataset: str, length: int, engine: str
) -> Iterator[tuple[str, Callable[[GridPoint], bool]]]:
    """The paper's conditions in the order in which they are asked, with what is said of none."""
    board, model = board_name(number.gpu), number.model
    gpus = f"{number.gpus} GPU{'s' if number.gpus > 1 else ''}"
    yield f"no run on {board}", lambda point: point["gpu"] == number.gpu and not point.simulated
    yield f"no run whose driver calls its GPUs {board}", lambda point: point.as_asked
    yield f"no run of {model} on {board}", lambda point: point["model"] == model
    yield f"no run of {model} on {gpus}", lambda point: point["gpus"] == number.gpus
    yield f"no run over {dataset}", lambda point: point.corpus == dataset
    yield f"no run of {length} tokens at most", lambda point: point["max_gen_len"] == length
    batch = number.batch_size
    yield f"no run at batch {batch}", lambda point: point["batch_size"] == batch
    yield f"no run by engine {engine}", lambda point: point["engine"] == engine
    yield "no trained weights", lambda point: point["weights"] != RANDOM
    yield (
        f"no run in {PAPER_DTYPE}",
        lambda point: (
            point["quantization"] == "none"
            and point["dtype"] == PAPER_DTYPE
            and point["kv_dtype"] is None
        ),
    )
    cap = number.power_cap_w
    yield f"no power cap of {cap:g} W", lambda point: point.capped_at(cap)
    yield "no run without a clock lock", lambda point: not point.locks
    said = paper_conditions()
    yield (
        f"no run at temperature {said['temperature']:g} and top p {said['top_p']:g}",
        lambda point: all(point[name] == said[name] for name in ("temperature", "top_p")),
    )
    yield "no run whose answers end where they end", lambda point: not point["ignore_eos"]


def _nearest(
    number: Published, points: Sequence[GridPoint], dataset: str, length: int, engine: str
) -> str:
    """Which run of ours meets most of the conditions, and in what it does not."""
    conditions = [holds for _, holds in _conditions(number, dataset, length, engine)]

    def met(point: GridPoint) -> tuple[int, list[bool]]:
        told = [holds(point) for holds in conditions]
        # Of equally many the one that meets the earlier ones.
        return sum(told), told

    nearest = max(points, key=met)
    count = len(nearest.runs)
    more = f" and {count - 1} more" if count > 1 else ""
    told = (
        nearest.board,
        f"{nearest['gpus']} GPU{'s' if nearest['gpus'] != 1 else ''}",
        str(nearest["dataset"]),
        f"{nearest['max_gen_len']} tokens",
        f"batch {nearest['batch_size']}",
        f"engine {nearest['engine']}",
        *(one for one in nearest.deviations(number) if one != nearest.corpus),
        *nearest.other_prompts,
    )
    return f"nearest {nearest.runs[0].run_id}{more}: {', '.join(told)}"


def _distance(
    number: Published, point: GridPoint
) -> tuple[bool, bool, bool, bool, bool, float, bool, int]:
    """How like the paper's a point is: its software, its cap, its other conditions."""
    cap = point["power_cap_w"]
    conditions = paper_conditions()
    return (
        point["engine"] != PAPER_ENGINE,
        point["quantization"] != "none",
        point["dtype"] != PAPER_DTYPE,
        point["kv_dtype"] is not None,
        cap is None,
        abs(float(cap or 0.0) - number.power_cap_w),
        point["weights"] == RANDOM,
        sum(point[name] != conditions[name] for name in _FEWEST_FIRST),
    )


def kin(corpus: str, dataset: str) -> bool:
    """Whether prompts are of a data set, or of a part or an ancestor that bears its name."""
    return corpus == dataset or corpus.startswith((f"{dataset}-", f"{dataset}_"))
