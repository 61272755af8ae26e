"""Wording: how numbers stand in the sentences of comparisons."""

import math
from collections.abc import Iterable, Sequence
from typing import Final

from analysis.tables.column import Row
from analysis.tables.point import kept_words, setting_words

# No comparison of joules is as exact.
_MOST_DIGITS: Final = 4
# The labels that a row may carry as flags, and what a sentence calls them.
_FLAGS: Final = {
    "simulated": "simulated",
    "random_weights": "random weights",
    "changed_code": "dirty tree",
    "partial_record": "partial",
}
# The column that has a row's labels in words, and what stands between them.
_WORDS: Final = "labels"
_BETWEEN: Final = ", "


def counted(count: int, noun: str) -> str:
    """A number of things."""
    return f"1 {noun}" if count == 1 else f"{count:,} {noun}s"


def shown(values: Sequence[float]) -> list[str]:
    """A ratio, and the ends of its interval if there is one, to digits that tell them apart."""
    first, width = values[0], max(values) - min(values)
    digits = 1 - math.floor(math.log10(first))
    if width > 0:
        digits = max(digits, -math.floor(math.log10(width / 2)))
    return [f"{value:.{min(max(digits, 0), _MOST_DIGITS)}f}" for value in values]


def per_cent(share: float) -> str:
    """A share to two digits, in per cent."""
    return f"{share * 100:.2g} %" if share < 1 else f"{share * 100:.0f} %"


def labelled(said: str, rows: Iterable[Row]) -> str:
    """A sentence with the labels of what it is about, and its full stop."""
    told: dict[str, None] = {}
    for row in rows:
        told.update(dict.fromkeys(word for name, word in _FLAGS.items() if row.get(name)))
        words = row.get(_WORDS)
        told.update(dict.fromkeys(str(words).split(_BETWEEN) if words else ()))
    return f"{said} ({_BETWEEN.join(told)})." if told else f"{said}."


def point_name(row: Row) -> str:
    """A grid point in a few words: what most grids vary."""
    parts = [row["model"], row["dataset"], f"{row['gpus']} x {row['gpu']}", row["engine"]]
    parts += [f"b{row['batch_size']}", f"l{row['max_gen_len']}", row["dtype"]]
    if row["quantization"] != "none":
        parts.append(row["quantization"])
    parts += kept_words(row)
    parts += setting_words(row)
    return " ".join(map(str, parts))
