"""Generation: what an engine makes of one batch of prompts, and when."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class RequestTimes:
    """When a batch's prompts were requests of their own; in microseconds after the batch began."""

    arrived_us: list[int] | None
    """By row: when it came; None where all came at once, as the batch."""
    sent_us: list[int]
    """By row: when the engine was handed it."""
    finished_us: list[int]
    """By row: when the engine said that it was done with it."""


@dataclass(frozen=True, kw_only=True)
class Generation:
    """A batch's answers; lists by row have one item for each prompt."""

    ids: list[list[int]]
    """The token ids kept, by row."""
    ended: list[bool]
    """By row: True where an end-of-sequence id that was not ignored cut the answer."""
    first_steps: list[int] | None
    """By row: the step that chose its first token; step 0 is prefill's. None without `step_us`."""
    step_us: list[int] | None
    """When each step's tokens were chosen, in microseconds after the batch began; None of an engine
    that does not tell."""
    row_steps: list[list[int]] | None = None
    """By row: the step of each id kept, where a row may have to sit steps out; None where each row
    keeps one id of every step from its first on."""
    requests: RequestTimes | None = None
    """When each row came and went, of an engine that takes them one by one; None of the others."""

    def __post_init__(self) -> None:
        rows = len(self.ids)
        told = self.requests
        for name, items in (
            *((name, getattr(self, name)) for name in ("ended", "first_steps", "row_steps")),
            *(() if told is None else vars(told).items()),
        ):
            if items is not None and len(items) != rows:
                raise ValueError(
                    f"`{name}` must have one item for each of {rows} rows, "
                    f"but has {len(items)} instead"
                )
        if (self.first_steps is None) != (self.step_us is None):
            raise ValueError("`step_us` must be told with `first_steps` or not at all")
        if self.step_us is not None and any(
            b < a for a, b in zip(self.step_us, self.step_us[1:], strict=False)
        ):
            raise ValueError("`step_us` must not fall, but does")
