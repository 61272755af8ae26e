"""Point columns: the columns that say in every finding which work and which choice it is of."""

from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from analysis.findings.estimate import Ranged
from analysis.findings.works import Work, WorkPoint
from analysis.tables.column import Column, ColumnsOf
from analysis.tables.contrast import point_columns
from analysis.tables.labels import pooled_label_columns

T = TypeVar("T")

# What stands first in every table of findings.
_FIRST: Final = (
    *("model", "dataset", "max_gen_len", "engine", "gpus", "nodes", "batch_size"),
    *("dtype", "quantization", "kv_dtype", "power_cap_w"),
)


def choice_columns(
    of: ColumnsOf[T],
    work: Callable[[T], Work],
    point: Callable[[T], WorkPoint],
    beside: Callable[[T], Iterable[WorkPoint]] = lambda _: (),
) -> tuple[Column[T], ...]:
    """Work, board, all that tells points apart, labels and repeats.

    `beside` are other points that a row's numbers are of: their labels stand in it too.
    """
    return (
        of.text("work", "work", "What was done, the same in all of its rows.", _name_of(work)),
        of.text(
            "board",
            "board",
            "Product of the working GPUs, as the record names it.",
            lambda one: point(one).board,
        ),
        *point_columns(of, lambda one: point(one).group, _FIRST),
        of.simulated(lambda one: point(one).simulated),
        *pooled_label_columns(
            of,
            lambda one, label: [
                each.group[label.name] for each in dict.fromkeys((point(one), *beside(one)))
            ],
        ),
        of.count("n", "repeats", "Sealed runs of the point.", lambda one: len(point(one).runs)),
    )


def interval_columns(
    of: ColumnsOf[T],
    name: str,
    label: str,
    unit: str,
    *,
    meaning: str,
    value: Callable[[T], Ranged | None],
    missing: Callable[[T], str | None] = lambda _: None,
    told: bool = True,
) -> tuple[Column[T], ...]:
    """A number, half of its interval, both of its ends, and by what they were had.

    `missing` says why there is no number, wherever `value` may have none.
    """

    def part(which: str) -> Callable[[T], float | None]:
        def found(one: T) -> float | None:
            got = value(one)
            taken: float | None = None if got is None else getattr(got, which)
            return taken

        return found

    stem, _, ending = name.rpartition("_")
    beside = f"{name}_uncertainty" if unit == "1" else f"{stem}_uncertainty_{ending}"
    # The page writes shares as per cent.
    kind = "share" if ending == "share" else "number"
    return (
        Column(
            name=name,
            label=label,
            unit=unit,
            meaning=meaning,
            value=part("value"),
            plus_minus=beside if told else None,
            uncertainty=None if told else beside,
            interval=(f"{name}_low", f"{name}_high"),
            reason=f"{name}_interval_from",
            type=kind,
        ),
        of.number(
            beside,
            "±",
            unit,
            f"Half of the 95 % interval of {name}, the longer half.",
            part("plus_minus"),
            shown=False,
            reason=f"{name}_interval_from",
        ),
        of.number(
            f"{name}_low",
            f"{label} from",
            unit,
            f"Lower end of it: {_RULE}",
            part("low"),
            shown=False,
            reason=f"{name}_interval_from",
        ),
        of.number(
            f"{name}_high",
            f"{label} to",
            unit,
            f"Upper end of it: {_RULE}",
            part("high"),
            shown=False,
            reason=f"{name}_interval_from",
        ),
        of.text(
            f"{name}_interval_from",
            f"{label} interval from",
            "By what the interval was made, or why there is none, or no number at all.",
            lambda one: missing(one) if (got := value(one)) is None else got.basis,
            shown=False,
        ),
    )


def verdict_columns(
    of: ColumnsOf[T],
    *,
    undecided: str,
    not_told_from: Callable[[T], Iterable[str]],
    says: str,
    sentence: Callable[[T], str | None],
    reason: Callable[[T], str | None],
) -> tuple[Column[T], ...]:
    """What a verdict does not tell a point from, what it says in words, and why something lacks.

    `undecided` is what the points named first are, `says` what the sentence is.
    """
    return (
        of.text(
            "not_told_from",
            "not told from",
            undecided,
            lambda one: "; ".join(not_told_from(one)) or None,
            shown=False,
        ),
        of.text("sentence", "in words", says, sentence),
        of.reason(reason),
    )


_RULE: Final = (
    "over the repeats, widened by the sensors' part; of fewer than three runs by the pooled "
    "scatter of all points of the same boards that have repeats; empty where there are none."
)


def _name_of(work: Callable[[T], Work]) -> Callable[[T], str]:
    return lambda one: work(one).name
