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
    arrived_us: Sequence[int | None]
    """By row: when its request came; None where it came with its batch."""
    sent_us: Sequence[int | None]
    """By row: when the engine was handed it; None where it was handed the batch."""
    finished_us: Sequence[int | None]
    """By row: when the engine was done with it; None where it ends with its batch."""

    @classmethod
    def of(cls, answers: Generation, begun_us: int) -> Self:
        """The moments of `answers` to a batch that was begun at `begun_us`; none where untold.

        Raises:
            ValueError: a token was kept of a step that there was not.
        """
        untold = [None] * len(answers.ids)
        requests = answers.requests

        def told(times: Sequence[int] | None) -> Sequence[int | None]:
            return untold if times is None else [begun_us + since_us for since_us in times]

        arrived_us = told(requests.arrived_us if requests else None)
        sent_us = told(requests.sent_us if requests else None)
        finished_us = told(requests.finished_us if requests else None)
        if answers.step_us is None or answers.first_steps is None:
            return cls(
                step_us=[],
                rows=[],
                first_us=untold,
                last_us=untold,
                arrived_us=arrived_us,
                sent_us=sent_us,
                finished_us=finished_us,
            )
        step_us = [begun_us + since_us for since_us in answers.step_us]
        rows = [0] * len(step_us)
        first_us: list[int | None] = []
        last_us: list[int | None] = []
        for row, (ids, first) in enumerate(zip(answers.ids, answers.first_steps, strict=True)):
            if not ids:
                first_us.append(None)
                last_us.append(None)
                continue
            # Unless told, every step from a row's first on chooses one token of its answer.
            own = list(range(first, first + len(ids)))
            if answers.row_steps is not None:
                own = answers.row_steps[row]
            if not (len(own) == len(ids) and 0 <= own[0] <= own[-1] < len(step_us)):
                raise ValueError(
                    f"the {len(ids)} ids of row {row} must be of steps from {first} on, "
                    f"but there are {len(step_us)} steps instead"
                )
            for step in own:
                rows[step] += 1
            first_us.append(step_us[own[0]])
            last_us.append(step_us[own[-1]])
        return cls(
            step_us=step_us,
            rows=rows,
            first_us=first_us,
            last_us=last_us,
            arrived_us=arrived_us,
            sent_us=sent_us,
            finished_us=finished_us,
        )
