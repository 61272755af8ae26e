"""Arithmetic: what one model moves and computes, as coefficients that no family's formula is in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

from telemetry.record.validation import require_whole


@dataclass(frozen=True, kw_only=True)
class EncoderArithmetic:
    """What an encoder and the decoder's look at what it made cost, over all ranks."""

    flop_per_token: int
    """Operations of the encoder's matrices for one token of a prompt."""
    flop_per_token_and_position: int
    """Operations of its attention for one token and one position, each of which it attends to."""
    weight_bytes: int
    """Bytes of weights that reading a batch's prompts takes, once."""
    flop_per_crossed_token: int
    """Operations with which the decoder makes its keys and values of one encoded token."""
    flop_per_crossed_position: int
    """Operations of the decoder's attention for one of its tokens and one encoded position."""
    crossing_bytes: int
    """Bytes of the matrices that make those keys and values, read once a batch."""

    def __post_init__(self) -> None:
        for field in fields(self):
            require_whole(f"encoder.{field.name}", getattr(self, field.name), 1)

    @classmethod
    def read(cls, content: object) -> Self:
        """The object `encoder` of a record's arithmetic.

        Raises:
            ValueError: it is no object, or a part of it is missing or no whole number.
        """
        return cls(**_parts(content, "arithmetic.encoder", [field.name for field in fields(cls)]))


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
    encoder: EncoderArithmetic | None = None
    """What an encoder costs beside the decoder, of which all others then are; None without one, as
    in each record that does not name it."""

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
        stated = _parts(content, "arithmetic", ["family", *COEFFICIENTS])
        assert isinstance(content, Mapping)
        encoder = content.get("encoder")
        return cls(**stated, encoder=None if encoder is None else EncoderArithmetic.read(encoder))


def _parts(content: object, what: str, names: Sequence[str]) -> dict[str, Any]:
    if not isinstance(content, Mapping):
        raise ValueError(f"`{what}` must be an object, but is {content!r} instead")
    missing = [name for name in names if name not in content]
    if missing:
        raise ValueError(f"`{what}` must have `{missing[0]}`, but has none")
    return {name: content[name] for name in names}


COEFFICIENTS = tuple(
    field.name for field in fields(Arithmetic) if field.name not in ("family", "encoder")
)
"""The numbers of it, in the order of the record."""
# An architecture without attention has no positions to meet and keeps none.
_LEAST = {"flop_per_token_and_position": 0, "kv_bytes_per_position": 0}
