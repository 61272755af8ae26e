"""Model: what a rank's part of every family's model is and gives."""

import abc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

from workers.models.base.shape import ModelShape

Hold = Callable[[str], AbstractContextManager[nn.Module]]
"""Fills a part of a model by its name, for as long as it is used."""


class DecoderModel(nn.Module, abc.ABC):
    """A rank's part of a model with its key-value cache; called with the shape alone.

    Parameters have the names and sizes of `Family.parameters`.
    """

    shape: ModelShape
    """The whole model's sizes."""

    @abc.abstractmethod
    def parts(self) -> Iterator[tuple[str, nn.Module]]:
        """The modules that hold all parameters, by name, in loading order: the embedding first."""

    @abc.abstractmethod
    def allocate(self, max_batch: int, max_len: int, device: torch.device) -> None:
        """Make what is no parameter: caches for `max_batch` rows of `max_len` positions."""

    @abc.abstractmethod
    def forward(self, ids: Tensor, start: int) -> Tensor:
        """Logits after the last position, fp32 [batch, vocab], equal on all ranks.

        `ids` [batch, tokens] stand at positions from `start` on; those before are in the cache.
        """

    @abc.abstractmethod
    def read(self, ids: Tensor, first: int, hold: Hold) -> Tensor:
        """Logits of one text after `first` of its tokens, after one more and so on.

        `ids` is int64 [tokens] and the result [tokens + 1 - first, vocab] in the model's number
        format. Parts have no memory but within `hold`, one at a time; caches are there.
        """

    def step_bytes(self) -> int:
        """Bytes of this rank's weights that a step of decoding reads: all but the embedding's."""
        _, *others = self.parts()
        return sum(weight.nbytes for _, part in others for weight in part.parameters())
