"""What a step gives back."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(kw_only=True)
class CompletionOutput:
    """One answer's part."""

    index: int
    text: str
    token_ids: Sequence[int]
    finish_reason: str | None = None


@dataclass(kw_only=True)
class RequestOutput:
    """One request's."""

    request_id: str
    outputs: list[CompletionOutput]
    finished: bool
