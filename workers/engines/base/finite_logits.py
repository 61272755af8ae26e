"""Finite logits: a step whose logits are not numbers ends the run.

A comparison with NaN is false and the likeliest of no numbers is token 0: a computation that failed
goes on as if it had not, and what it took would be joules of a model that answered nothing.
"""

from typing import Final

import torch
from torch import Tensor

# A copy of a batch's ranges to the host is 16 bytes a step and row; one in so many steps is no
# load, and at 100 ms a step, as slow as there is, news is a few seconds old.
_LOOK_STEPS: Final = 16


class NonFiniteLogitsError(RuntimeError):
    """A model's logits were inf or NaN: nothing that follows is an answer."""

    def __init__(self, *, rows: int, of: int, step: int) -> None:
        super().__init__(
            "`logits` must be finite to choose a token from, but are inf or NaN in "
            f"{rows} of {of} rows at step {step} of a batch instead"
        )


class LogitRanges:
    """Least and largest logit of every row and step of a batch, looked at on the host.

    One pass over the logits a step and nothing that waits, where the device is a GPU: its host
    looks every few steps, some steps late, and at the batch's end. `waits` looks at once.
    """

    def __init__(self, *, waits: bool) -> None:
        self._waits = waits
        self._ranges = torch.empty(0)
        self._host = torch.empty(0)
        self._copied: tuple[int, torch.cuda.Event] | None = None
        self._looked = 0
        self._taken = 0

    def begin(self, steps: int, rows: int, device: torch.device) -> None:
        """Forget the last batch; the next has at most so many steps of so many rows."""
        if self._ranges.shape != (steps, 2, rows):
            self._ranges = torch.zeros(steps, 2, rows, device=device)
            self._host = torch.zeros(steps, 2, rows, pin_memory=device.type == "cuda")
        self._copied = None
        self._looked = self._taken = 0

    def note(self, logits: Tensor) -> None:
        """Take in the next step's logits [rows, vocab].

        Raises:
            NonFiniteLogitsError: some were not finite, at this step or at an earlier one.
        """
        low, high = self._ranges[self._taken]
        torch.aminmax(logits, dim=-1, out=(low, high))
        self._taken += 1
        if self._waits:
            self.settle()
        elif self._taken % _LOOK_STEPS == 0:
            if self._copied is not None and self._copied[1].query():  # type: ignore[no-untyped-call]
                self._look(self._copied[0])
            self._copied = (self._taken, self._copy())

    def settle(self) -> None:
        """Look at all steps so far; waits for the device to come to the last.

        Raises:
            NonFiniteLogitsError: some logits were not finite.
        """
        if self._ranges.is_cuda:
            self._copy().synchronize()
        else:
            self._host = self._ranges
        self._look(self._taken)

    def _copy(self) -> torch.cuda.Event:
        new = slice(self._looked, self._taken)
        self._host[new].copy_(self._ranges[new], non_blocking=True)
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record()
        return event

    def _look(self, steps: int) -> None:
        odd = (~self._host[self._looked : steps].isfinite()).any(dim=1)
        if odd.any():
            first = int(odd.any(dim=1).nonzero()[0])
            raise NonFiniteLogitsError(
                rows=int(odd[first].sum()), of=odd.shape[1], step=self._looked + first
            )
        self._looked = steps
