"""Caps: table III of the paper engine by engine, with a reason in every cell that is missing.

The paper's own exhibit asks for the paper's conditions, its engine with them. Here each engine of
ours stands beside each number: on the paper's board, or with the reason why it does not, and then
on any other board that ran the same caps, simulated ones too; with the paper's work, else with
other work under these caps. What differs stands in `differs`, and the runs' labels beside it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from analysis.paper.amount import Amount
from analysis.paper.answer import Found, found_of, quantity
from analysis.paper.matching import Parts, chosen, of_its_work, on_gpus, only, value_of, why_none
from analysis.paper.origin import origin_columns
from analysis.paper.other_work import other_works, work_differences
from analysis.paper.point import GridPoint, board_name, points
from analysis.paper.published import Published, published
from analysis.tables.column import UNIT_OF_ROW, ColumnsOf
from analysis.tables.point import PAPER_ENGINE
from analysis.tables.table import Results, TableKind

_SOURCE: Final = "table III"
# Those that come with the program; others follow where a run has them.
_ENGINES: Final = (PAPER_ENGINE, "fast")


@dataclass(frozen=True, kw_only=True)
class CapCell:
    """One number of table III, one engine and one board of ours."""

    number: Published
    """The paper's."""
    engine: str
    """Ours."""
    gpu: str
    """Kind of GPU, as a spec names it; the paper's where there is no run."""
    found: Found | None
    """What our points say; None for `reason`."""
    differs: tuple[str, ...] = ()
    """In what they are not the paper's, board and engine with it."""
    reason: str | None = None
    """Why there is none."""

    @property
    def ratio(self) -> Amount | None:
        """Ours over the paper's."""
        if self.found is None:
            return None
        return self.found.amount.over(self.number.value, digitised=self.number.digitised)

    @property
    def simulated(self) -> bool:
        """Whether no GPU measured it."""
        return self.gpu.startswith("simulated-")


def cap_cells(told: Sequence[GridPoint]) -> Iterator[CapCell]:
    """Every number by every engine, on the paper's board first."""
    numbers = [one for one in published() if one.source == _SOURCE]
    engines = dict.fromkeys((*_ENGINES, *(str(point["engine"]) for point in told)))
    for number in numbers:
        for engine in engines:
            own = [point for point in told if point["engine"] == engine]
            boards = dict.fromkeys((number.gpu, *(str(point["gpu"]) for point in own)))
            for gpu in boards:
                cell = _cell(number, engine, gpu, own)
                if cell.found is not None or gpu == number.gpu:
                    yield cell


def _cell(number: Published, engine: str, gpu: str, own: Sequence[GridPoint]) -> CapCell:
    on_board = [point for point in own if point["gpu"] == gpu]
    reason = None
    for parts in _works(number, on_board):
        picked = chosen(number, only(parts, lambda point: point.capped_at(number.power_cap_w)))
        if picked is None:
            continue
        amount = value_of(number, picked, parts, number.metric)
        if isinstance(amount, str):
            reason = reason or amount
            continue
        return CapCell(
            number=number,
            engine=engine,
            gpu=gpu,
            found=found_of(picked, amount),
            differs=_differences(number, picked),
        )
    return CapCell(
        number=number,
        engine=engine,
        gpu=gpu,
        found=None,
        reason=reason
        or (why_none(number, own, engine) if own else f"no sealed run by engine {engine}"),
    )


def _works(number: Published, on_board: Sequence[GridPoint]) -> Iterator[Parts]:
    """The paper's work first, on as many GPUs or on others; then other work."""
    work = of_its_work(number, on_board)
    counts = {int(str(point["gpus"])) for found in work for point in found}
    for gpus in sorted(counts, key=lambda count: (count != number.gpus, count)):
        yield on_gpus(work, gpus)
    yield from other_works(number, on_board)


def _differences(number: Published, picked: Sequence[GridPoint]) -> tuple[str, ...]:
    told: dict[str, None] = dict.fromkeys(work_differences(number, picked))
    for point in picked:
        if point["gpu"] != number.gpu:
            told[board_name(str(point["gpu"]))] = None
        if point["gpus"] != number.gpus:
            told[f"{point['gpus']} GPUs"] = None
        if point["engine"] != PAPER_ENGINE:
            told[f"engine {point['engine']}"] = None
        told |= dict.fromkeys(point.deviations(number))
    return tuple(told)


_OF: Final = ColumnsOf[CapCell]()


def _amount(one: CapCell, part: str) -> float | None:
    value: float | None = None if one.found is None else getattr(one.found.amount, part)
    return value


def _ratio(one: CapCell, part: str) -> float | None:
    value: float | None = None if one.ratio is None else getattr(one.ratio, part)
    return value


_COLUMNS: Final = (
    _OF.text("engine", "engine", "How our tokens are generated.", lambda one: one.engine),
    _OF.text(
        "gpu",
        "GPU",
        "Kind of GPU of ours; the paper's where no run of the engine has these caps.",
        lambda one: one.gpu,
    ),
    _OF.simulated(lambda one: one.simulated),
    _OF.text(
        "max_gen_len",
        "max tokens",
        "Tokens generated for each prompt at most; of several it is the mean.",
        lambda one: ", ".join(map(str, one.number.max_gen_lens)),
    ),
    _OF.number(
        "power_cap_w", "cap", "W", "The paper's power cap.", lambda one: one.number.power_cap_w
    ),
    _OF.text(
        "metric", "quantity", "Which column of the results.", lambda one: quantity(one.number)
    ),
    _OF.text("unit", "unit", "`%` of a change against 250 W.", lambda _: "%"),
    _OF.number(
        "paper_value", "paper", UNIT_OF_ROW, "The paper's number.", lambda one: one.number.value
    ),
    _OF.number(
        "our_value",
        "ours",
        UNIT_OF_ROW,
        "Change of the same point against its own at 250 W: mean over repeats, over all lengths "
        "that the paper averages.",
        lambda one: _amount(one, "value"),
        interval=("our_low", "our_high"),
        uncertainty="our_sensor",
        reason="reason",
    ),
    *(
        _OF.number(
            f"our_{end}",
            f"ours {word}",
            UNIT_OF_ROW,
            f"{side} end of its 95 % interval over repeats, parts in squares.",
            lambda one, end=end: _amount(one, end),  # type: ignore[misc]
            shown=False,
        )
        for end, word, side in (("low", "from", "Lower"), ("high", "to", "Upper"))
    ),
    _OF.number(
        "our_sensor",
        "ours ±",
        UNIT_OF_ROW,
        "Expanded uncertainty (k = 2) of it by the sensors alone.",
        lambda one: _amount(one, "sensor"),
        shown=False,
    ),
    _OF.number(
        "ratio",
        "ours / paper",
        "1",
        "our_value / paper_value; `differs` says what else is not the paper's.",
        lambda one: _ratio(one, "value"),
        interval=("ratio_low", "ratio_high"),
        reason="reason",
    ),
    *(
        _OF.number(
            f"ratio_{end}",
            f"ratio {word}",
            "1",
            f"{side} end of its interval: that of ours, of the sensors where one repeat has none.",
            lambda one, end=end: _ratio(one, end),  # type: ignore[misc]
        )
        for end, word, side in (("low", "from", "Lower"), ("high", "to", "Upper"))
    ),
    _OF.text(
        "differs",
        "differs in",
        "In what our points are not the paper's: board, number of GPUs, engine, all else.",
        lambda one: "; ".join(one.differs) or None,
    ),
    _OF.reason(lambda one: one.reason),
    *origin_columns(_OF, lambda one: one.found),
)


def _rows(results: Results) -> Iterator[CapCell]:
    return cap_cells(points(results))


TABLE_THREE_ENGINES: Final = TableKind(
    name="paper_table3_engines",
    title="Table III of the paper, engine by engine",
    columns=_COLUMNS,
    of_results=_rows,
    section="paper",
    heading="Table III, engine by engine: what a power cap changes",
    text="65B over GSM8K at batch 64: change in per cent against the cap of 250 W, by each engine "
    "of ours. Whether a cap binds depends on the engine. Where nothing of ours did that work, "
    "other work under the same caps stands there, if there is any. What is not the paper's stands "
    "in its own column; a simulated row is of a stated model and no measurement.",
    label="Table III of the paper by engine",
)
"""One row a number of table III, engine and board of ours."""
