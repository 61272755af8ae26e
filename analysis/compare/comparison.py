"""Comparison: sides, their cells, the verdicts, and what is in none of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from analysis.compare.axes import Axes
from analysis.compare.cells import Cell, NotCompared, cell_names, match
from analysis.compare.claims import ClaimRow, claims_of
from analysis.compare.facts import labels_of
from analysis.compare.reproduced import Reproduced, Reproduction
from analysis.compare.sentences import of_all, over_cells
from analysis.compare.sides import Side
from analysis.compare.verdict import Judgement, Word, judge


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All that is said of two or more sides."""

    sides: tuple[Side, ...]
    """The base first."""
    axes: Axes
    """What differs between them on purpose."""
    margin: float
    """Share by which sides that count as the same may differ."""
    cells: tuple[Cell, ...]
    """Each other side's cells with the base."""
    verdicts: tuple[tuple[Judgement, ...], ...]
    """Of each metric those of all cells."""
    not_compared: tuple[NotCompared, ...]
    """Points that are in no cell."""
    mixed: bool = False
    """Whether simulated runs were let stand against real ones."""
    allowed: Path | None = None
    """Whose signatures count; None tells the keys alone."""

    @classmethod
    def of(
        cls,
        sides: Sequence[Side],
        axes: Axes,
        *,
        margin: float,
        mixed: bool = False,
        allowed: Path | None = None,
    ) -> "Comparison":
        """Compare each other side with the first.

        Args:
            sides: at least two.
            axes: what differs between them on purpose.
            margin: share by which sides that count as the same may differ.
            mixed: whether simulated runs may stand against real ones.
            allowed: whose signatures count, a file of OpenSSH's form; None asks for none.
        """
        cells: list[Cell] = []
        left: list[NotCompared] = []
        for other in sides[1:]:
            found, without = match(sides[0], other, axes, mixed=mixed)
            cells += found
            left += without
        return cls(
            sides=tuple(sides),
            axes=axes,
            margin=margin,
            cells=tuple(cells),
            verdicts=tuple(tuple(each) for each in judge(cells, margin=margin)),
            not_compared=tuple(dict.fromkeys(left)),
            mixed=mixed,
            allowed=allowed,
        )

    @property
    def headline(self) -> tuple[Judgement, ...]:
        """The verdicts of energy per token."""
        return self.verdicts[0]

    @cached_property
    def names(self) -> list[str]:
        """What each cell is called."""
        return cell_names(self.cells, self.axes)

    @cached_property
    def labels(self) -> list[tuple[str, ...]]:
        """What has to stand beside each cell's numbers."""
        return [labels_of(cell) for cell in self.cells]

    @property
    def simulated(self) -> bool:
        """Whether any number in it is of a simulation."""
        return any(any(cell.simulated) for cell in self.cells)

    @property
    def same(self) -> bool:
        """Whether sameness within the margin is shown of every point of every side."""
        return (
            bool(self.cells)
            and not self.not_compared
            and all(one.within_margin for one in self.headline)
        )

    @property
    def told(self) -> bool:
        """Whether something can be said of energy per token in any cell."""
        return any(one.word is not Word.CANNOT_TELL for one in self.headline)

    def summary(self) -> list[str]:
        """The whole in a sentence for each other side, energy per token alone."""
        if not self.cells:
            return ["nothing can be compared: no point of one side has its counterpart"]
        said = (*of_all(self.headline), *over_cells(self.headline))
        return self._marked([*said, *self._reproduced()])

    def of_metrics(self) -> list[str]:
        """The same of the other metrics."""
        return self._marked([line for each in self.verdicts[1:] if each for line in of_all(each)])

    def _marked(self, lines: Sequence[str]) -> list[str]:
        """What is simulated says so in every line."""
        return [f"SIMULATED: {line}" if self.simulated else line for line in lines]

    @cached_property
    def reproductions(self) -> tuple[Reproduction, ...]:
        """Each other side and the base as original and second making."""
        base = self.sides[0]
        return tuple(
            Reproduction.of(base, other, self.headline, self.not_compared, self.allowed)
            for other in self.sides[1:]
        )

    @cached_property
    def claims(self) -> tuple[ClaimRow, ...]:
        """What each side says of both papers' claims."""
        return claims_of(self.sides)

    @property
    def reproduced(self) -> bool:
        """Whether every other side is the base made again, and came out so."""
        return all(each.outcome is Reproduced.REPRODUCED for each in self.reproductions)

    def _reproduced(self) -> list[str]:
        return [line for each in self.reproductions for line in each.lines()]
