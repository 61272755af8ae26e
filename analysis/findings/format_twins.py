"""Format twins: each quantized point beside the unquantized one that did the same otherwise.

Twins agree in every field of the spec but the quantization, in the file of prompts, the kind of
device, the board as its driver names it, the power limit that its driver names where none is asked
for, and the length of the answers; both are measured or both simulated. Settings of the measurement
may differ and are named. A point without a twin has the reason: in what the nearest one differs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from analysis.findings.estimate import Ranged, ratio
from analysis.findings.format_points import FormatPoint
from analysis.findings.works import lacking, real
from analysis.tables.column import Cell, Row
from analysis.tables.contrast import DRAWN
from analysis.tables.launched import LAUNCH_SETTINGS
from analysis.tables.point import POINT_BY_NAME
from telemetry.record.spec import CAP_FIELDS

# What was asked of an engine is decided by these two of the launch; the others say how it was
# measured.
_WORK: Final = ("prompts_digest", "device")
_SAME: Final = (*(name for name in POINT_BY_NAME if name != "quantization"), *_WORK)
_MEASURED: Final = tuple(name for name in LAUNCH_SETTINGS if name not in _WORK)

SAVES: Final = "saves"
"""The whole interval of the ratio of joules a token lies below 1."""
DOES_NOT: Final = "does not save"
"""The whole interval lies at 1 or above."""
CANNOT_TELL: Final = "cannot tell"
"""The interval has 1 in it, or there is none."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FormatTwins:
    """A quantized point and its unquantized twin."""

    of: FormatPoint
    """The quantized point."""
    base: FormatPoint | None
    """Its twin; None where there is none."""
    unpaired: str | None = None
    """Why it has no twin; None where it has."""

    @cached_property
    def energy_ratio(self) -> Ranged | None:
        """Joules a token over the twin's; None where either has none."""
        if self.base is None:
            return None
        own, base = self.of.energy, self.base.energy
        if own is None or base is None:
            return None
        if not self._same_gpus:
            own, base = own.widened(self.of.point.gain), base.widened(self.base.point.gain)
        return ratio(own, base)

    @cached_property
    def rate_ratio(self) -> Ranged | None:
        """Tokens a second over the twin's; None where either has none."""
        if self.base is None or self.of.rate is None or self.base.rate is None:
            return None
        return ratio(self.of.rate, self.base.rate)

    @property
    def _same_gpus(self) -> bool:
        assert self.base is not None
        return self.of.point.gpu_uuids == self.base.point.gpu_uuids

    @property
    def verdict(self) -> str:
        """`SAVES`, `DOES_NOT` or `CANNOT_TELL`."""
        found = self.energy_ratio
        if found is None or found.low is None or found.high is None:
            return CANNOT_TELL
        if found.high < 1.0:
            return SAVES
        return DOES_NOT if found.low >= 1.0 else CANNOT_TELL

    @property
    def lacking(self) -> str | None:
        """Why there is no ratio of joules; None where there is one."""
        if self.unpaired is not None:
            return self.unpaired
        for one in (self.of, self.base):
            if one is not None and one.energy is None:
                return lacking(one.point, energy=True)
        return None

    @property
    def rate_lacking(self) -> str:
        """Why there is no ratio of rates, where there is none."""
        return self.unpaired or "a run of either generated no token"

    @property
    def reason(self) -> str | None:
        """Why nobody can tell; None where one can."""
        found = self.energy_ratio
        if found is None:
            return self.lacking
        if found.low is None:
            return found.basis
        if self.verdict == CANNOT_TELL:
            return f"the interval, {found.low:.3g} to {found.high:.3g}, has 1 in it"
        return None

    @property
    def measured_apart(self) -> str | None:
        """Settings of the measurement in which they differ, and what nobody can say is the same."""
        if self.base is None:
            return None
        own, base = self.of.group, self.base.group
        told = [f"{name} {_word(base, name)} / {_word(own, name)}" for name in self._apart]
        if not _capped(own) and not (self.of.limits_w and self.base.limits_w):
            told.append("power limit not on record")
        return ", ".join(told) or None

    @property
    def _apart(self) -> list[str]:
        return [] if self.base is None else _apart(self.of, self.base)


def format_twins(points: Sequence[FormatPoint]) -> Iterator[FormatTwins]:
    """Every quantized point with its twin, or the reason why it has none, in their order."""
    plain: dict[tuple[Cell, ...], list[FormatPoint]] = {}
    of_model: dict[tuple[Cell, ...], list[FormatPoint]] = {}
    for one in points:
        if not one.quantized:
            plain.setdefault(_work(one), []).append(one)
            of_model.setdefault(_model(one), []).append(one)
    for one in points:
        if one.quantized:
            yield _twins(one, plain.get(_work(one)) or of_model.get(_model(one)) or ())


def _work(one: FormatPoint) -> tuple[Cell, ...]:
    return (one.point.simulated, *(one.group[name] for name in _SAME))


def _model(one: FormatPoint) -> tuple[Cell, ...]:
    return one.point.simulated, one.group["model"]


def _twins(one: FormatPoint, plain: Sequence[FormatPoint]) -> FormatTwins:
    """`plain` are the unquantized points of the same spec, else all of the same model."""
    if not plain:
        return FormatTwins(of=one, base=None, unpaired="no unquantized run of the model")
    told = [(_differences(one, base), base) for base in plain]
    same = [base for unlike, base in told if not unlike]
    if same:
        return FormatTwins(of=one, base=min(same, key=lambda base: len(_apart(one, base))))
    unlike, _ = min(told, key=lambda each: len(each[0]))
    return FormatTwins(
        of=one,
        base=None,
        unpaired=f"no unquantized run of the same: the nearest differs in {', '.join(unlike)}",
    )


def _differences(one: FormatPoint, base: FormatPoint) -> list[str]:
    """In what an unquantized point is no twin of a quantized one, twin / own."""
    found = [
        f"{name} {_word(base.group, name)} / {_word(one.group, name)}"
        for name in _SAME
        if base.group[name] != one.group[name]
    ]
    if one.group["prompts_digest"] is None and base.group["prompts_digest"] is None:
        found.append("prompts that neither has on record")
    if base.point.board != one.point.board:
        found.append(f"board {base.point.board} / {one.point.board}")
    limits = base.limits_w, one.limits_w
    if not _capped(one.group) and all(limits) and limits[0] != limits[1]:
        found.append(f"power limit in force {' / '.join(map(_watts, limits))}")
    lengths = [_answer_tokens(each) for each in (base, one)]
    if None in lengths:
        found.append("answers that are not on record")
    elif _unlike(lengths, allowed=0.0 if one.group["ignore_eos"] else DRAWN):
        found.append(f"tokens of an answer {lengths[0]:.6g} / {lengths[1]:.6g}")
    return found


def _unlike(lengths: Sequence[float | None], *, allowed: float) -> bool:
    base, own = (each or 0.0 for each in lengths)
    return abs(own - base) > allowed * base


def _answer_tokens(one: FormatPoint) -> float | None:
    """Tokens of an answer, on the mean of all repeats."""
    tokens, answers = (
        [real(row[name]) for row in one.point.rows] for name in ("generated_tokens", "responses")
    )
    responses = sum(each or 0.0 for each in answers)
    if None in tokens or None in answers or not responses:
        return None
    return sum(each or 0.0 for each in tokens) / responses


def _apart(one: FormatPoint, base: FormatPoint) -> list[str]:
    return [name for name in _MEASURED if base.group[name] != one.group[name]]


def _capped(row: Row) -> bool:
    """Whether caps were asked for: they are the spec's then, and labelled if they did not act."""
    return any(row[name] is not None for name in CAP_FIELDS)


def _word(row: Row, name: str) -> str:
    return "none" if row[name] is None else str(row[name])


def _watts(limits: frozenset[float]) -> str:
    return " and ".join(f"{limit:g} W" for limit in sorted(limits))
