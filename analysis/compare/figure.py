"""Figure: the ratios of all cells with their intervals, one panel a metric."""

from typing import Final

from analysis.compare.comparison import Comparison
from analysis.compare.verdict import Word
from analysis.figures.canvas import (
    MARKERS,
    PALETTE,
    new_figure,
    plain,
    style,
    to_svg,
    watermark,
)
from analysis.figures.labels import wrapped

# Height of a cell's line and of all else of the figure.
_LINE_IN, _REST_IN = 0.34, 1.7
_FILLED: Final = {Word.LESS: True, Word.MORE: True, Word.SAME: True, Word.CANNOT_TELL: False}


def ratios(comparison: Comparison) -> str | None:
    """The figure as SVG; None where no cell has a ratio."""
    if not any(one.ratio for each in comparison.verdicts for one in each):
        return None
    count = len(comparison.cells)
    with style():
        figure, panels = new_figure(len(comparison.verdicts), _REST_IN + _LINE_IN * count)
        several = len(comparison.sides) > len("AB")
        names = [
            plain(wrapped(f"{name} ({cell.other.letter})" if several else name))
            for name, cell in zip(comparison.names, comparison.cells, strict=True)
        ]
        for index, (panel, verdicts) in enumerate(zip(panels, comparison.verdicts, strict=True)):
            panel.axvspan(
                1 / (1 + comparison.margin),
                1 + comparison.margin,
                color=PALETTE[6],
                alpha=0.18,
                linewidth=0,
            )
            panel.axvline(1.0, color=PALETTE[6], linewidth=0.9)
            for place, one in enumerate(verdicts):
                if one.ratio is None:
                    panel.annotate("no number", (1.0, place), fontsize=8, ha="center", va="center")
                    continue
                found = one.ratio
                colour = PALETTE[comparison.sides.index(one.cell.other) % len(PALETTE) - 1]
                low, high = found.low or found.ratio, found.high or found.ratio
                panel.errorbar(
                    [found.ratio],
                    [place],
                    xerr=[[found.ratio - low], [high - found.ratio]],
                    color=colour,
                    marker=MARKERS[0],
                    markerfacecolor=colour if _FILLED[one.word] else "none",
                    linestyle="--" if found.reason else "-",
                    capsize=3,
                )
            panel.set_ylim(count - 0.5, -0.5)
            panel.set_yticks(range(count), names if index == 0 else [""] * count)
            panel.grid(axis="x")
            panel.grid(visible=False, axis="y")
            panel.set_xlabel(plain(verdicts[0].metric.label))
            if comparison.simulated:
                watermark(panel, small=True)
        base, others = comparison.sides[0], comparison.sides[1:]
        over = ", ".join(f"{side.letter} / {base.letter}" for side in others)
        random = any(
            label.startswith("random weights") for one in comparison.labels for label in one
        )
        figure.suptitle(
            f"{over}: 95 % intervals; grey: counts as the same; hollow: cannot tell"
            f"{'; random weights' if random else ''}",
            fontsize=10,
        )
        return to_svg(figure, "compare")
