"""Token times: when a batch's tokens were chosen, on the run's clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from workers.engines.base.generation import Generation


@dataclass(frozen=True, kw_only=True)
class TokenTimes:
    """The moments of one batch; lists by row have one item for each prompt.

    Steps are dated by the begin of the batch's first span on the host's clock, plus the time that
    the device counted since its engine began: early by what lies between the two, tens of
    microseconds, and drifting within the batch as the two clocks differ in speed.
    """

    step_us: Sequence[int]
    """When each step's tokens were chosen."""
    rows: Sequence[int]
    """By step: rows that kept a token of it."""
    first_us: Sequence[int | None]
    """By row: when the first id kept was chosen; None when none was kept, or nobody tells."""
    last_us: Sequence[int | None]
    """By row: when the last id kept was chosen."""

    @classmethod
    def of(cls, answers: Generation, begun_us: int) -> Self:
        """The moments of `answers` to a batch that was begun at `begun_us`; none where untold.

        Raises:
            ValueError: a token was kept of a step that there was not.
        """
        if answers.step_us is None or answers.first_steps is None:
            untold = [None] * len(answers.ids)
            return cls(step_us=[], rows=[], first_us=untold, last_us=untold)
        step_us = [begun_us + since_us for since_us in answers.step_us]
        rows = [0] * len(step_us)
        first_us: list[int | None] = []
        last_us: list[int | None] = []
        for row, (ids, first) in enumerate(zip(answers.ids, answers.first_steps, strict=True)):
            if not ids:
                first_us.append(None)
                last_us.append(None)
                continue
            # Every step from a row's first on chooses one token of its answer.
            end = first + len(ids)
            if not 0 <= first < end <= len(step_us):
                raise ValueError(
                    f"the {len(ids)} ids of row {row} must be of steps from {first} on, "
                    f"but there are {len(step_us)} steps instead"
                )
            for step in range(first, end):
                rows[step] += 1
            first_us.append(step_us[first])
            last_us.append(step_us[end - 1])
        return cls(step_us=step_us, rows=rows, first_us=first_us, last_us=last_us)
