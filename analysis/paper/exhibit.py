"""Exhibit: a figure or table of the paper as a table of ours, each published number a row."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from analysis.paper.amount import DIGITISED_SHARE
from analysis.paper.answer import Beside, Found, answers
from analysis.paper.definition import DEFINITIONS, OURS, Definition
from analysis.paper.origin import origin_columns, series_columns
from analysis.paper.published import Published, published
from analysis.paper.slug import slug
from analysis.tables.column import UNIT_OF_ROW, Cell, Column, ColumnsOf
from analysis.tables.table import Results, TableKind

_OF: Final = ColumnsOf[Beside]()
_RULE: Final = (
    "root sum of squares of our interval, of the sensors' ± where one repeat has none, and of "
    "2 % where the paper's number is digitised"
)


@dataclass(frozen=True, kw_only=True)
class Exhibit:
    """One figure or table of the paper."""

    key: str
    """Name of its folder, such as `figure6`."""
    number: str
    """As the paper calls it, such as `Figure 6`."""
    title: str
    """What it shows, without a full stop."""
    experiment: str
    """The grid that makes its runs, a file of conf/experiment."""
    caption: str = ""
    """What a reader has to know of the paper's, beside its title."""
    any_gpus: bool = False
    """True where a board that is not the paper's may stand on another number of GPUs: where the
    paper took the least hardware that will do."""
    table: TableKind[Any] | None = None
    """Its table where its rows are no numbers of runs; None for the one made of `numbers`."""

    @property
    def name(self) -> str:
        """File name of its table, without its ending."""
        return f"paper_{self.key}"

    @property
    def source(self) -> str:
        """As `Published.source` has it: `figure 6`, `table III`."""
        first, number = self.number.split(" ")
        return f"{first.lower()} {number}"

    @property
    def numbers(self) -> tuple[Published, ...]:
        """Every published number of it."""
        return tuple(one for one in published() if one.source == self.source)

    @property
    def kind(self) -> TableKind[Any]:
        """Its table: registered, it is made, written, shown and audited."""
        if self.table is not None:
            return self.table
        return TableKind(
            name=self.name,
            title=f"{self.number} of the paper: {self.title}",
            columns=_COLUMNS,
            more_columns=_SERIES_COLUMNS,
            of_results=partial(_answered, self),
            section="paper",
            heading=f"{self.number}: {self.title}",
            text=self.caption,
            label=f"{self.number} of the paper, and ours",
        )


def _answered(exhibit: Exhibit, results: Results) -> list[Beside]:
    return answers(results, exhibit.numbers, any_gpus=exhibit.any_gpus)


def series_columns_of(name: str) -> dict[str, str]:
    """The columns of a series of ours that is not the paper's, by what they hold."""
    stem = slug(name)
    return {
        "value": stem,
        **{part: f"{stem}_{part}" for part in ("low", "high", "sensor", "gpus", "labels", "runs")},
    }


def _of_found(
    find: Callable[[Beside], Found | None], part: str
) -> Callable[[Beside], float | None]:
    def value(one: Beside) -> float | None:
        found = find(one)
        number: float | None = None if found is None else getattr(found.amount, part)
        return number

    return value


def _ours(definition: Definition) -> tuple[Column[Beside], ...]:
    """A definition's value with its ends and the sensors' ±, and the ratio with its ends."""
    name, label = definition.name, definition.label
    shown = definition is OURS
    value = f"{name}_value"
    why = "reason" if shown else f"{name}_reason"

    def find(one: Beside) -> Found | None:
        return one.by.get(name)

    def ratio(part: str) -> Callable[[Beside], float | None]:
        def of(one: Beside) -> float | None:
            told = one.ratio(name)
            number: float | None = None if told is None else getattr(told, part)
            return number

        return of

    ratios = "ratio" if shown else f"{name}_ratio"
    columns = (
        _OF.number(
            value,
            label,
            UNIT_OF_ROW,
            f"Ours under the paper's conditions, {definition.meaning}: mean over repeats, over all "
            "that the paper averages.",
            _of_found(find, "value"),
            shown_with=None if shown else value,
            interval=(f"{name}_low", f"{name}_high"),
            uncertainty=f"{name}_sensor",
            reason=why,
        ),
        *(
            _OF.number(
                f"{name}_{end}",
                f"{label} {word}",
                UNIT_OF_ROW,
                f"{side} end of {value}'s 95 % interval over repeats; of a mean or a change, parts "
                "in squares.",
                _of_found(find, end),
                shown=False,
            )
            for end, side, word in (("low", "Lower", "from"), ("high", "Upper", "to"))
        ),
        _OF.number(
            f"{name}_sensor",
            f"{label} ±",
            UNIT_OF_ROW,
            f"Expanded uncertainty (k = 2) of {value} by the sensors alone.",
            _of_found(find, "sensor"),
            shown=False,
        ),
        _OF.number(
            ratios,
            "ours / paper" if shown else f"{label} / paper",
            "1",
            f"{value} / paper_value.",
            ratio("value"),
            shown_with=None if shown else value,
            interval=(f"{ratios}_low", f"{ratios}_high"),
            reason=why,
        ),
        *(
            _OF.number(
                f"{ratios}_{end}",
                f"ratio {word}",
                "1",
                f"{side} end of {ratios}'s interval: {_RULE}.",
                ratio(end),
                shown=shown,
            )
            for end, side, word in (("low", "Lower", "from"), ("high", "Upper", "to"))
        ),
    )
    if shown:
        return columns
    return (
        *columns,
        _OF.why(why, label, f"Why {value} is missing.", lambda one: one.reasons.get(name)),
    )


def _paper_end(which: str) -> Callable[[Beside], Cell]:
    return lambda one: getattr(one.number, which)


_COLUMNS: Final = (
    _OF.text("model", "model", "Name of the model's shape.", lambda one: one.number.model),
    _OF.text(
        "dataset",
        "dataset",
        "Where the prompts come from; of several it is the mean.",
        lambda one: ", ".join(one.number.datasets),
    ),
    _OF.text("gpu", "GPU", "The paper's kind of GPU.", lambda one: one.number.gpu),
    _OF.count("gpus", "GPUs", "The paper's number of GPUs.", lambda one: one.number.gpus),
    _OF.count(
        "batch_size", "batch", "Prompts answered together.", lambda one: one.number.batch_size
    ),
    _OF.text(
        "max_gen_len",
        "max tokens",
        "Tokens generated for each prompt at most; of several it is the mean.",
        lambda one: ", ".join(map(str, one.number.max_gen_lens)),
    ),
    _OF.number(
        "power_cap_w", "cap", "W", "The paper's power cap.", lambda one: one.number.power_cap_w
    ),
    _OF.text("metric", "quantity", "Which column of the results.", lambda one: one.metric),
    _OF.text("unit", "unit", "Of the quantity; `%` of a change.", lambda one: one.unit),
    _OF.text(
        "paper_kind",
        "how published",
        "`printed`, or `digitised`: read off a figure, about ±2 %.",
        lambda one: one.number.kind,
    ),
    _OF.number(
        "paper_value",
        "paper",
        UNIT_OF_ROW,
        "The paper's number.",
        lambda one: one.number.value,
        uncertainty="paper_digitised",
        interval=("paper_low", "paper_high"),
    ),
    _OF.number(
        "paper_digitised",
        "paper ±",
        UNIT_OF_ROW,
        "How well a digitised number was read, 2 % of it; empty where it is printed.",
        lambda one: abs(one.number.value) * DIGITISED_SHARE if one.number.digitised else None,
        shown=False,
    ),
    *(
        _OF.number(
            f"paper_{end}",
            f"paper {word}",
            UNIT_OF_ROW,
            f"{side} end of the paper's own error bar, digitised; it does not say of what.",
            _paper_end(end),
            shown=False,
        )
        for end, side, word in (("low", "Lower", "from"), ("high", "Upper", "to"))
    ),
    *(column for definition in DEFINITIONS for column in _ours(definition)),
    _OF.text(
        "reason",
        "why not",
        "Which of the paper's conditions no run of ours meets, and the nearest run.",
        lambda one: one.reasons.get(OURS.name),
    ),
    _OF.text(
        "remarks",
        "remarks",
        "In what ours may still differ.",
        lambda one: "; ".join(one.remarks) or None,
    ),
    *origin_columns(_OF, lambda one: one.ours),
)


def _one_series(name: str) -> tuple[Column[Beside], ...]:
    columns = series_columns_of(name)

    def find(one: Beside) -> Found | None:
        return one.series.get(name)

    def told(part: Callable[[Found], Cell]) -> Callable[[Beside], Cell]:
        return lambda one: None if (found := find(one)) is None else part(found)

    return (
        _OF.number(
            columns["value"],
            name,
            UNIT_OF_ROW,
            f"The same of {name}: not the paper's, so there is no ratio.",
            _of_found(find, "value"),
            interval=(columns["low"], columns["high"]),
            uncertainty=columns["sensor"],
        ),
        *(
            _OF.number(
                columns[part],
                f"{name} {word}",
                UNIT_OF_ROW,
                f"{what} of {columns['value']}.",
                _of_found(find, part),
                shown=False,
            )
            for part, word, what in (
                ("low", "from", "Lower end of the 95 % interval over repeats"),
                ("high", "to", "Upper end of the 95 % interval over repeats"),
                ("sensor", "±", "Expanded uncertainty (k = 2) by the sensors alone"),
            )
        ),
        _OF.count(
            columns["gpus"],
            f"{name} GPUs",
            f"GPUs of {columns['value']}.",
            told(lambda found: found.gpus),
            shown=False,
        ),
        _OF.text(
            columns["labels"],
            f"{name} labels",
            f"What {columns['value']} is not, by the labels of its runs.",
            told(lambda found: ", ".join(found.labels) or None),
            shown=False,
        ),
        _OF.text(
            columns["runs"],
            f"{name} runs",
            f"The runs behind {columns['value']}.",
            told(lambda found: found.runs),
            shown=False,
        ),
    )


_SERIES_COLUMNS: Final = series_columns(lambda one: list(one.series), _one_series)
