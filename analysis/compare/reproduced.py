"""Reproduced: whether one side was made after the other, by its own record, and came out so."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Self

from analysis.compare.cells import NotCompared
from analysis.compare.facts import fact_text
from analysis.compare.sentences import within
from analysis.compare.sides import Member, Side
from analysis.compare.signers import Signers
from analysis.compare.verdict import Judgement, Word
from analysis.runs.campaign import reproduces
from analysis.runs.sealed_runs import DAMAGED
from telemetry.nearest import told_count

_PERCENT: Final = 100.0


class Reproduced(StrEnum):
    """What can be said of a second making."""

    REPRODUCED = "reproduced"
    IN_PART = "reproduced in part"
    NOT_REPRODUCED = "not reproduced"
    CANNOT_TELL = "cannot tell"
    NONE = "no reproduction"


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """One side as a second making of the other."""

    original: Side
    """What was made again."""
    new: Side
    """What was made after it."""
    verdicts: tuple[Judgement, ...]
    """Those of energy per token of the two's cells."""
    not_compared: tuple[NotCompared, ...]
    """Points of either that are in no cell."""
    allowed: Path | None = None
    """Whose signatures count; None tells the keys alone."""

    @classmethod
    def of(
        cls,
        base: Side,
        other: Side,
        verdicts: Sequence[Judgement],
        not_compared: Sequence[NotCompared],
        allowed: Path | None = None,
    ) -> Self:
        """The two as original and second making: by their records, else in their order.

        `verdicts` and `not_compared` may be of other sides, too.
        """
        forth, back = (
            cls(
                original=one,
                new=two,
                verdicts=tuple(each for each in verdicts if each.cell.other is other),
                not_compared=tuple(
                    each
                    for each in not_compared
                    if {*each.letter.split(", ")} <= {base.letter, other.letter}
                ),
                allowed=allowed,
            )
            for one, two in ((base, other), (other, base))
        )
        return back if back.named and not forth.named else forth

    @cached_property
    def fault(self) -> str | None:
        """Why what the record says of its original cannot be read; None where it can."""
        try:
            for member in self.new.members:
                reproduces(member.run)
        except ValueError as error:
            return f"what {self.new.letter} was made after cannot be read: {error}"
        return None

    @cached_property
    def after(self) -> tuple[Member, ...]:
        """Runs that say which sealed run they were made after, whichever that is."""
        if self.fault is not None:
            return ()
        return tuple(one for one in self.new.members if reproduces(one.run) is not None)

    @cached_property
    def named(self) -> tuple[Member, ...]:
        """Those of them whose original is a run of the other side, as it is sealed now."""
        seals = {(one.run.run_id, one.seal_sha256) for one in self.original.members}
        return tuple(one for one in self.after if _named(one) in seals)

    @property
    def _compared(self) -> list[Member]:
        """The second making's runs that are in a cell."""
        ids = {
            member.run.run_id
            for one in self.verdicts
            for member in (*one.cell.base_members, *one.cell.other_members)
        }
        return [member for member in self.new.members if member.run.run_id in ids]

    @cached_property
    def signers(self) -> tuple[Signers, Signers]:
        """Who answers for the original, and who for the second making."""
        return tuple(  # type: ignore[return-value]
            Signers.of(side.members, self.allowed) for side in (self.original, self.new)
        )

    @property
    def margin(self) -> str:
        """The margin in per cent."""
        return f"{self.verdicts[0].margin * _PERCENT:g} %" if self.verdicts else "no margin"

    @cached_property
    def outcome(self) -> Reproduced:
        """What can be said: nothing good of what nobody can trust, nothing of what is a copy."""
        return self._judged[0]

    @cached_property
    def reasons(self) -> tuple[str, ...]:
        """Why it is no more than that, and what else lessens it."""
        return self._judged[1]

    @cached_property
    def _judged(self) -> tuple[Reproduced, tuple[str, ...]]:
        copies = [one.copy for one in self.verdicts if one.copy is not None]
        if copies:
            return Reproduced.NONE, tuple(dict.fromkeys(copies))
        if doubts := tuple(self._doubts()):
            return Reproduced.CANNOT_TELL, doubts
        beyond = sum(one.differs_beyond for one in self.verdicts)
        shown, cells = within(self.verdicts)
        if beyond:
            told = f"a difference beyond {self.margin} is shown in {beyond} of {_cells(cells)}"
            return Reproduced.NOT_REPRODUCED, (told, *self._lacking())
        if shown < cells:
            first = next(one for one in self.verdicts if not one.within_margin)
            why = first.reason if first.word is Word.CANNOT_TELL else None
            told = f"sameness within {self.margin} is shown in {shown} of {_cells(cells)}"
            return Reproduced.CANNOT_TELL, (f"{told}{f': {why}' if why else ''}", *self._lacking())
        lacking = tuple(self._lacking())
        return (Reproduced.IN_PART if lacking else Reproduced.REPRODUCED), lacking

    def _doubts(self) -> Iterator[str]:
        """What keeps anybody from saying that one was made after the other, or is what it was."""
        if self.fault is not None:
            yield self.fault
        elif not self.after:
            yield (
                f"no run of {self.new.letter} says that it was made after one of "
                f"{self.original.letter}: a comparison, and no reproduction"
            )
        known = {one.run.run_id for one in self.named}
        strange = [one for one in self.after if one.run.run_id not in known]
        if strange:
            yield (
                f"{_named(strange[0])[0]} of {self.original.letter} is not as it was when it was "
                f"made again{f', and {len(strange) - 1} more' if len(strange) > 1 else ''}"
            )
        mine = {one.run.run_id for one in self.after}
        alone = [one for one in self._compared if one.run.run_id not in mine]
        if self.after and alone:
            told = "name" if len(alone) > 1 else "names"
            yield f"{told_count(len(alone), 'run')} of {self.new.letter} {told} no original"
        for side, signers in zip((self.original, self.new), self.signers, strict=True):
            for fault in signers.faults[:1]:
                more = len(signers.faults) - 1
                yield f"{side.letter}: {fault}{f', and {more} more' if more else ''}"
        if any(len(set(one.cell.simulated)) > 1 for one in self.verdicts):
            yield "one side is measured and the other simulated"
        if not self.verdicts:
            yield "no point of one side has its counterpart on the other"

    def _lacking(self) -> Iterator[str]:
        """What of either side is in no number."""
        own = [one for one in self.not_compared if self.original.letter in one.letter]
        if own:
            first = f"{own[0].point}: {own[0].reason}"
            more = f", and {len(own) - 1} more" if len(own) > 1 else ""
            yield (
                f"{told_count(len(own), 'point')} of {self.original.letter} not compared: "
                f"{first}{more}"
            )
        for side in (self.original, self.new):
            damaged = [one for one in side.not_counted if one.state in DAMAGED]
            if damaged:
                yield (
                    f"{told_count(len(damaged), 'run')} of {side.letter} in no number: "
                    f"{damaged[0].run_id} is {damaged[0].state}"
                )

    @property
    def boards(self) -> tuple[str, str]:
        """The boards of the original and of the second making."""
        return tuple(  # type: ignore[return-value]
            fact_text((member.run for member in side.members), "board")
            for side in (self.original, self.new)
        )

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        old, new = self.original.letter, self.new.letter
        there, here = self.boards
        on = f"on {here}" if there == here else f"on {here}, and {old} on {there}"
        shown, cells = within(self.verdicts)
        told = f"energy per token within {self.margin} is shown in {shown} of {_cells(cells)}, {on}"
        if self.outcome is Reproduced.NONE:
            return f"{new} is no reproduction of {old}: {self.reasons[0]}"
        because = f"; {'; '.join(self.reasons)}" if self.reasons else ""
        if self.outcome in (Reproduced.REPRODUCED, Reproduced.IN_PART):
            part = " in part" if self.outcome is Reproduced.IN_PART else ""
            return f"{old} is reproduced{part} by {new}: {told}{because}"
        if self.outcome is Reproduced.NOT_REPRODUCED:
            return f"{old} is not reproduced by {new}: {told}{because}"
        return f"{old} is not shown to be reproduced by {new}: {told}{because}"

    def to_mapping(self) -> dict[str, Any] | None:
        """The JSON form; None where neither side was made after the other."""
        if not self.after and not any(one.copy is not None for one in self.verdicts):
            return None
        return {
            "original": self.original.letter,
            "reproduction": self.new.letter,
            "verdict": str(self.outcome),
            "sentence": self.sentence,
            "reasons": list(self.reasons),
        }

    def lines(self) -> Iterator[str]:
        """What a comparison says of it; nothing where neither was made after the other."""
        if self.fault is not None:
            yield self.fault
            return
        copied = any(one.copy is not None for one in self.verdicts)
        if self.named:
            known = {one.run.run_id for one in self.named}
            strange = [one for one in self.after if one.run.run_id not in known]
            yield (
                f"{self.new.letter} was made after {self.original.letter}: {len(self.named)} of "
                f"its {told_count(len(self.new.members), 'run')} "
                f"{'names' if len(self.new.members) == 1 else 'name'} a seal that "
                f"{self.original.letter} has"
                + (f"; {_named(strange[0])[0]} is not as it was then" if strange else "")
            )
        if copied or (self.named and self.verdicts):
            yield self.sentence


def _cells(count: int) -> str:
    return told_count(count, "cell")


def _named(member: Member) -> tuple[str, str]:
    found = reproduces(member.run)
    assert found is not None
    return found.run_id, found.seal_sha256
