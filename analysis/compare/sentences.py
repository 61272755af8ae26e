"""Sentences: what is said of a comparison in plain words, of a cell and of the whole."""

from collections.abc import Iterable, Sequence
from typing import Final

from analysis.compare.verdict import Judgement, Word
from analysis.statistics.ratio import mean_ratio

_PERCENT: Final = 100.0
# Two cells have one degree of freedom.
_ENOUGH_CELLS: Final = 3
_NUMBERS: Final = (
    *("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
)


def of_cell(verdict: Judgement) -> str:
    """One cell's metric: how much, how sure, by which test."""
    letter, other = verdict.cell.base.letter, verdict.cell.other.letter
    if verdict.word is Word.CANNOT_TELL:
        said = f"cannot tell: {verdict.reason}"
        return said if verdict.ratio is None else f"{said}; {other} / {letter} is {_ratio(verdict)}"
    assert verdict.ratio is not None
    tested = f"{verdict.ratio.test}, p = {_p(verdict.p_difference)}"
    same = f"p = {_p(verdict.p_same)} of a difference beyond {_margin(verdict)}"
    if verdict.word is Word.SAME:
        return (
            f"{other} {verdict.metric.takes} the same {verdict.metric.of} as {letter} within "
            f"{_margin(verdict)}: {_ratio(verdict)} of it ({same})"
        )
    within = f", within {_margin(verdict)} all the same ({same})" if verdict.within_margin else ""
    return (
        f"{other} {verdict.metric.takes} {_change(verdict)} {_word(verdict)} {verdict.metric.of} "
        f"than {letter} ({tested}){within}"
    )


def of_all(verdicts: Sequence[Judgement]) -> list[str]:
    """One metric of all cells: what is said of how many, a sentence for each other side."""
    told = []
    for letter in dict.fromkeys(one.cell.other.letter for one in verdicts):
        own = [one for one in verdicts if one.cell.other.letter == letter]
        told.append(_of_side(letter, own))
    return told


def _of_side(letter: str, own: Sequence[Judgement]) -> str:
    metric, base = own[0].metric, own[0].cell.base.letter
    parts = []
    for word in (Word.LESS, Word.MORE):
        cells = [one for one in own if one.word is word]
        if cells:
            parts.append(
                f"{_amount(cells)} {_word(cells[0])} {metric.of} than {base} in "
                f"{_count(len(cells), len(own))}"
            )
    same = [one for one in own if one.word is Word.SAME]
    if same:
        parts.append(
            f"the same {metric.of} as {base} within {_margin(own[0])} in "
            f"{_count(len(same), len(own))}"
        )
    unknown = sum(one.word is Word.CANNOT_TELL for one in own)
    if not parts:
        where = f"any of {len(own)} cells" if len(own) > 1 else "the one cell"
        return (
            f"one cannot tell in {where} whether {letter} {metric.takes} {metric.less} or more "
            f"{metric.of} than {base}"
        )
    said = f"{letter} {metric.takes} {'; '.join(parts)}"
    return f"{said}; in {_number(unknown)} one cannot tell" if unknown else said


def over_cells(verdicts: Sequence[Judgement]) -> list[str]:
    """One metric over each other side's cells taken together, where there are enough of them."""
    told = []
    for letter in dict.fromkeys(one.cell.other.letter for one in verdicts):
        own = [one for one in verdicts if one.cell.other.letter == letter and one.ratio]
        found = mean_ratio([one.ratio for one in own if one.ratio is not None])
        if found is None or len(own) < _ENOUGH_CELLS:
            continue
        ratio, low, high = found
        told.append(
            f"over its {len(own)} cells together {letter} / {own[0].cell.base.letter} is "
            f"{ratio:.4f} ({low:.4f} to {high:.4f}) in {own[0].metric.of}: geometric mean, "
            "Student's t over the cells, no narrower than they are"
        )
    return told


def within(verdicts: Iterable[Judgement]) -> tuple[int, int]:
    """In how many cells the test of equivalence shows sameness, and of how many."""
    told = [one.within_margin for one in verdicts]
    return sum(told), len(told)


def _amount(cells: Sequence[Judgement]) -> str:
    """How much the cells differ: a single one's interval, else the mean and its own."""
    if len(cells) == 1:
        return _change(cells[0])
    found = mean_ratio([one.ratio for one in cells if one.ratio is not None])
    assert found is not None
    return _percents(*found)


def _change(verdict: Judgement) -> str:
    found = verdict.ratio
    assert found is not None
    return _percents(found.ratio, found.low or found.ratio, found.high or found.ratio)


def _percents(ratio: float, low: float, high: float) -> str:
    change, half = abs(ratio - 1) * _PERCENT, (high - low) / 2 * _PERCENT
    places = 1 if max(change, half) >= 1 else 2
    return f"{change:.{places}f} % ± {half:.{places}f} %"


def _ratio(verdict: Judgement) -> str:
    assert verdict.ratio is not None
    found = verdict.ratio
    if found.low is None or found.high is None:
        return f"{found.ratio:.4f}"
    return f"{found.ratio:.4f} ({found.low:.4f} to {found.high:.4f})"


def _word(verdict: Judgement) -> str:
    return verdict.metric.less if verdict.word is Word.LESS else str(verdict.word)


def _margin(verdict: Judgement) -> str:
    return f"{verdict.margin * _PERCENT:g} %"


def _p(value: float | None) -> str:
    assert value is not None
    return "0" if value == 0 else f"{value:.2g}"


def _count(some: int, whole: int) -> str:
    if whole == 1:
        return "the one cell"
    return f"{'all' if some == whole else some} {'' if some == whole else 'of '}{whole} cells"


def _number(count: int) -> str:
    return _NUMBERS[count] if count < len(_NUMBERS) else str(count)
