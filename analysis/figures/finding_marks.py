"""Finding marks: rows of the findings as marks, with their intervals, sentences and labels."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from analysis.figures.chart import Mark
from analysis.figures.labels import number_of
from analysis.figures.marks import axes_among, axes_of, labels_of
from analysis.tables.column import Row
from analysis.tables.point import kept_words, setting_words
from analysis.tables.table import Tables

MOST_PANELS: Final = 9
"""Panels of one figure that are still read on paper; the table has all."""
MOST_BARS: Final = 40
"""Bars of one figure that are still read on paper; the table has all."""

MOST_MARKS: Final = 240
"""Rows that one figure marks: more lie on one another, and each is 2 kB of a page."""


def finding_mark(row: Row, name: str, x: float, **more: Any) -> Mark:
    """A number of a finding with the interval beside it; `x_name` gives that of the argument."""
    value, low, high = row[name], row.get(f"{name}_low"), row.get(f"{name}_high")
    known = value is not None and low is not None and high is not None
    basis = row.get(f"{name}_interval_from")
    interval = f"95 % by {basis}" if known and basis else "95 %" if known else ""
    return Mark(
        x=x,
        y=None if value is None else number_of(value),
        low=min(number_of(value), number_of(low)) if known else None,
        high=max(number_of(value), number_of(high)) if known else None,
        interval=interval,
        labels=labels_of(row),
        **more,
    )


def axes_by_row(tables: Tables, rows: Sequence[Row]) -> list[dict[str, str]]:
    """What the page can filter each row by."""
    columns = axes_among(tables)
    return [axes_of(row, columns) for row in rows]


def runs_by_id(tables: Tables) -> Mapping[str, Row]:
    """Rows of runs, which have all settings, by the run."""
    return {str(row["run_id"]): row for row in tables.runs.rows}


def cut(found: Sequence[Any], most: int, what: str) -> str:
    """What a caption says where a figure has the first of many alone; empty where it has all."""
    return (
        ""
        if len(found) <= most
        else f" The first {most} of {len(found)} {what}; the table has all."
    )


def evenly(rows: Sequence[Row]) -> list[Row]:
    """At most `MOST_MARKS` of the rows, evenly chosen, the first and the last among them."""
    if len(rows) <= MOST_MARKS:
        return list(rows)
    step = (len(rows) - 1) / (MOST_MARKS - 1)
    return [rows[round(at * step)] for at in range(MOST_MARKS)]


def chosen(rows: Sequence[Row], what: str) -> str:
    """What a caption says where a figure marks some of many; empty where it has all."""
    if len(rows) <= MOST_MARKS:
        return ""
    return f" {MOST_MARKS} of {len(rows)} {what}, evenly chosen; the table has all."


def brief(row: Row) -> str:
    """A point in two lines: what was chosen, and for what work."""
    chosen = (
        f"{row['model']} {row['engine']}",
        f"{row['gpus']} x {row['gpu']}",
        f"batch {row['batch_size']}",
        *((str(row["quantization"]),) if row["quantization"] != "none" else ()),
        *kept_words(row),
        *setting_words(row),
    )
    return f"{', '.join(chosen)}\n{brief_work(row)}"


def brief_work(row: Row) -> str:
    """A work in one line: what was asked, and at which lengths."""
    return f"{row['dataset']}, {row['max_prompt_len']} + {row['max_gen_len']} tokens"


def brief_works(rows: Iterable[Row]) -> dict[str, str]:
    """A brief name of each work by its full one; a legend shows but one of two that are the same.

    Where lengths do not tell two apart the number of prompts is said too, and else all.
    """
    firsts = {str(row["work"]): row for row in rows}
    named: dict[str, str] = {}
    for say in (_model_and_work, _with_prompts, _in_full):
        left = {work: say(row) for work, row in firsts.items() if work not in named}
        told = Counter(left.values())
        named |= {work: name for work, name in left.items() if told[name] == 1}
    return named


def _model_and_work(row: Row) -> str:
    return f"{row['model']}, {brief_work(row)}"


def _with_prompts(row: Row) -> str:
    return f"{_model_and_work(row)}, {row['prompts']} prompt{'s' * (row['prompts'] != 1)}"


def _in_full(row: Row) -> str:
    return str(row["work"])
