"""Printed: what a terminal says of a comparison: the whole first, then the numbers, then why."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from analysis.compare.claims import claim_lines
from analysis.compare.comparison import Comparison
from analysis.compare.facts import fact_text
from analysis.compare.sentences import of_cell
from analysis.compare.verdict import Judgement, SideFigures
from analysis.report.formatting import measured_text, number_text
from telemetry.nearest import told_count
from telemetry.output import Output

# More lines than a screen has say less than their count; --all and the files have all.
_MOST: Final = 12
_NO_NUMBER: Final = "\N{EN DASH}"
_HEAD: Final = ("board", "driver", "torch", "commit")
_RULE: Final = (
    "± of a side: half its 95 % interval, Student's t over the repeats (BCa from 20 on) and the "
    "sensors' part in quadrature; of one run the sensors' part (k = 2) alone. Ratios: of geometric "
    "means, with their 95 % intervals. p by Holm over the cells."
)


def print_comparison(comparison: Comparison, out: Output, *, every: bool) -> None:
    """Print it, 80 columns wide where no terminal says otherwise."""
    for line in comparison.summary():
        out.say(line)
    for line in comparison.of_metrics():
        out.say(line)
    out.say("")
    _print_sides(comparison, out)
    if comparison.cells:
        shown = len(comparison.cells) if every else _MOST
        for verdicts in comparison.verdicts:
            out.say("")
            _print_metric(comparison, out, verdicts[:shown])
        out.say("")
        _print_cells(comparison, out, shown)
        out.say(_RULE)
    _print_claims(comparison, out, every=every)
    _print_left(comparison, out, every=every)


def _print_sides(comparison: Comparison, out: Output) -> None:
    for side in comparison.sides:
        runs = [member.run for member in side.members]
        facts = ", ".join(
            f"{'' if name == 'board' else f'{name} '}{fact_text(runs, name)}" for name in _HEAD
        )
        many = told_count(len(runs), "sealed run")
        out.say(f"{side.letter}  {side.name} ({many}): {facts}", hang=3)


def _print_metric(comparison: Comparison, out: Output, verdicts: Sequence[Judgement]) -> None:
    several = len(comparison.sides) > len("AB")
    base = comparison.sides[0].letter
    other = "other" if several else comparison.sides[1].letter
    head = ["", "runs", base, other, f"{other} / {base}", "from", "to", "verdict"]
    rows = [
        [
            f"{number}{f' {one.cell.other.letter}' if several else ''}",
            f"{len(one.cell.base_members)}|{len(one.cell.other_members)}",
            _mean(one.base),
            _mean(one.other),
            *_ratio(one),
            str(one.word),
        ]
        for number, one in enumerate(verdicts, start=1)
    ]
    out.say(verdicts[0].metric.label)
    _print_rows([head, *rows], out)


def _mean(figures: SideFigures) -> str:
    interval = figures.interval
    if interval is None:
        return _NO_NUMBER
    if interval.low is not None and interval.high is not None:
        return measured_text(interval.mean, (interval.high - interval.low) / 2)
    if figures.sensor:
        return measured_text(interval.mean, figures.sensor)
    return number_text(interval.mean)


def _ratio(one: Judgement) -> tuple[str, ...]:
    if one.ratio is None:
        return _NO_NUMBER, _NO_NUMBER, _NO_NUMBER
    found = one.ratio
    ends = (_NO_NUMBER if end is None else f"{end:.4f}" for end in (found.low, found.high))
    return f"{found.ratio:.4f}", *ends


def _print_rows(rows: Sequence[Sequence[str]], out: Output) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            text.ljust(width) if index in (0, len(row) - 1) else text.rjust(width)
            for index, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        out.exact("  ".join(cells).rstrip())


def _print_cells(comparison: Comparison, out: Output, shown: int) -> None:
    alike = _alike(comparison)
    for number, (name, one, labels) in enumerate(
        zip(comparison.names, comparison.headline, comparison.labels, strict=True), start=1
    ):
        if number > shown:
            continue
        out.say(f"{number}  {name}: {of_cell(one)}", hang=3)
        for label in labels:
            if label not in alike:
                out.say(label, indent=3)
    if len(comparison.cells) > shown:
        more = told_count(len(comparison.cells) - shown, "cell")
        out.say(f"and {more} more; --all lists them")
    several = len(comparison.cells) > 1
    for label in alike:
        out.say(f"{'in every cell' if several else 'in it'}: {label}")
    for told in dict.fromkeys(one.ratio.interval for one in comparison.headline if one.ratio):
        out.say(f"interval of a ratio: {told}")
    seen = [one.ratio.smallest for one in comparison.headline if one.ratio and one.ratio.smallest]
    if seen:
        out.say(
            f"the least difference that {'these tests' if len(seen) > 1 else 'this test'} would "
            f"have shown four times of five: {max(seen):.2%}".replace("%", " %")
        )
    gains = {one.gain for one in comparison.headline if one.gain}
    if len(gains) == 1:
        out.say(f"gain: {gains.pop()}")


def _print_claims(comparison: Comparison, out: Output, *, every: bool) -> None:
    lines = list(claim_lines(one.to_mapping() for one in comparison.claims))
    shown = lines if every else lines[:_MOST]
    if lines:
        out.say("")
    for line in shown:
        out.say(line, hang=3)
    if len(shown) < len(lines):
        out.say(f"and {told_count(len(lines) - len(shown), 'claim')} more; --all lists them")


def _alike(comparison: Comparison) -> tuple[str, ...]:
    """Labels that all cells have: said once."""
    first = comparison.labels[0] if comparison.labels else ()
    return tuple(one for one in first if all(one in labels for labels in comparison.labels))


def _print_left(comparison: Comparison, out: Output, *, every: bool) -> None:
    left = comparison.not_compared
    if left:
        out.say(f"not compared: {told_count(len(left), 'point')}")
    shown = left if every else left[:_MOST]
    for one in shown:
        out.say(f"{one.letter}  {one.point}: {one.reason}", indent=2)
    if len(shown) < len(left):
        out.say(f"and {len(left) - len(shown)} more; --all lists them", indent=2)
    for line in _not_counted(comparison):
        out.say(line)


def _not_counted(comparison: Comparison) -> Iterator[str]:
    for side in comparison.sides:
        if not side.not_counted:
            continue
        counts = Counter(one.state for one in side.not_counted)
        told = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
        yield f"{side.letter} has runs and attempts in no number: {told}"
        for one in side.not_counted[:_MOST]:
            if one.damaged:
                yield f"  {one.run_id}: {one.state}: {one.reason}"
