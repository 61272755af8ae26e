"""Arithmetic: what one model moves and computes, as coefficients that no family's formula is in."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from telemetry.record.validation import require_whole


@dataclass(frozen=True, kw_only=True)
class Arithmetic:
    """Bytes and operations of one model in one run's format, over all ranks."""

    family: str
    """Architecture that it belongs to, such as `llama`."""
    parameters: int
    """Of the whole model."""
    flop_per_token: int
    """Operations of all layers' matrices for one token; a multiply-add is two."""
    flop_per_token_and_position: int
    """Operations of attention for one token and one position that it attends to."""
    flop_per_logit_row: int
    """Operations of the output head for one row of logits."""
    weight_bytes_per_step: int | None
    """Bytes of weights that one step reads; None for a format that has no formula."""
    kv_bytes_per_position: int
    """Bytes of the keys and values of one position of one row."""

    def __post_init__(self) -> None:
        if not isinstance(self.family, str) or not self.family:
            raise ValueError(f"`family` must be a name, but is {self.family!r} instead")
        for name in COEFFICIENTS:
            value = getattr(self, name)
            if value is not None or name != "weight_bytes_per_step":
                require_whole(name, value, _LEAST.get(name, 1))

    @classmethod
    def read(cls, content: object) -> Self:
        """The object `arithmetic` of a model.json.

        Raises:
            ValueError: it is no object, or a part of it is missing or no whole number.
        """
        if not isinstance(content, Mapping):
            raise ValueError(f"`arithmetic` must be an object, but is {content!r} instead")
        stated: Mapping[str, Any] = content
        names = [field.name for field in fields(cls)]
        missing = [name for name in names if name not in stated]
        if missing:
            raise ValueError(f"`arithmetic` must have `{missing[0]}`, but has none")
        return cls(**{name: stated[name] for name in names})


COEFFICIENTS = tuple(field.name for field in fields(Arithmetic) if field.name != "family")
"""The numbers of it, in the order of the record."""
# An architecture without attention has no positions to meet and keeps none.
_LEAST = {"flop_per_token_and_position": 0, "kv_bytes_per_position": 0}
